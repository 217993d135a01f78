"""ETag and If-Match (RFC 9110, 13.1.1): a change of what one has seen, and of nothing newer."""

from http import HTTPStatus
from typing import Final, TypeVar

from starlette.requests import Request

from services.gateway.http.documented import parameter
from services.gateway.http.problems import Problem

IF_MATCH: Final = parameter(
    "If-Match", "The `ETag` of the version you have seen: 412 if it is another one now.", "header"
)


def etag(version: int | str) -> dict[str, str]:
    """The header that names this version."""
    return {"ETag": f'"{version}"'}


Named = TypeVar("Named", int, str)


def expected(request: Request, current: Named) -> Named | None:
    """The version that If-Match asks for, which is the current one; None: any will do. Raises Problem 412."""
    given = request.headers.get("if-match", "*").strip()
    if given == "*":
        return None
    if f'"{current}"' not in (one.strip().removeprefix("W/") for one in given.split(",")):
        raise stale()
    return current


def stale() -> Problem:
    """It is another version by now, or is about to be."""
    return Problem(
        HTTPStatus.PRECONDITION_FAILED, "stale", "it was changed meanwhile: get it again, and change what you see then"
    )
