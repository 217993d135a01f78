"""What all answers are made of."""

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json
from starlette.responses import Response


class Shape(BaseModel):
    """What is not there is left out."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    def response(self, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """As JSON."""
        return Response(to_json(self, exclude_none=True), status, headers, "application/json")
