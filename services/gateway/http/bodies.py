"""Bodies are read up to a limit and no further, and checked by the same models that Kafka's are."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from services.gateway.http.problems import invalid, of_validation, too_large

M = TypeVar("M", bound=BaseModel)


async def read(request: Request, limit: int) -> bytes:
    """The body. Raises Problem 413 as soon as more than `limit` bytes are announced, or have come."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise too_large(limit)
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > limit:
                raise too_large(limit)
    except ClientDisconnect:
        raise invalid([("", "the connection ended before the body did")]) from None
    return bytes(body)


def parsed(model: type[M], body: bytes) -> M:
    """The body as this model. Raises Problem 422; JSON that is none is 422 too."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise of_validation(error) from None


def json_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises Problem 422."""
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise invalid([("", f"is not JSON: {error}")], "invalid_json") from None
    if not isinstance(value, dict):
        raise invalid([("", "is JSON, but not an object")])
    return value


async def model(request: Request, kind: type[M], limit: int) -> M:
    """A small body, read and checked."""
    return parsed(kind, await read(request, limit))
