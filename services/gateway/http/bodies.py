"""Bodies are read up to a limit and no further, and checked by the same models that Kafka's are."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request

from services.gateway.http.problems import Problem, invalid, of_validation, too_large

M = TypeVar("M", bound=BaseModel)

HEARD_OUT: Final = 16 * 1024 * 1024
"""Bytes of a body that is too large up to which whoever sends it is heard out, so that he hears the answer."""
PATIENCE: Final = 10.0
"""Seconds for that."""


async def read(request: Request, limit: int, refusal: Callable[[int], Problem] = too_large) -> bytes:
    """The body. Raises Problem 413 as soon as more than `limit` bytes are announced, or have come."""
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        if int(announced) <= HEARD_OUT and "expect" not in request.headers:
            await _heard_out(request)
        raise refusal(limit)
    parts: list[bytes] = []
    more, left = True, limit
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise invalid([("", "the connection ended before the body did")])
        parts.append(message.get("body", b""))
        left -= len(parts[-1])
        if left < 0:
            raise refusal(limit)
        more = message.get("more_body", False)
    return b"".join(parts)


async def _heard_out(request: Request) -> None:
    """To its end, and thrown away: most programs write all they have before they read that it was too much."""
    with suppress(ClientDisconnect, TimeoutError):
        async with asyncio.timeout(PATIENCE):
            async for _ in request.stream():
                pass


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
