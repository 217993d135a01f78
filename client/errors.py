"""What can go wrong between a program and Tocsin, each with a sentence that says what helps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic_core import from_json


class TocsinError(Exception):
    """All of them; `str()` is for people."""


class Unreachable(TocsinError):
    """Nobody answers there, or not in time. Whether a request arrived is not known: repeat it with its key."""

    def __init__(self, url: str, error: Exception) -> None:
        why = str(error) or type(error).__name__
        super().__init__(f"no answer from {url} ({why}): is the gateway running, and is this its address?")
        self.url = url
        self.why = why


class Strange(TocsinError):
    """Something answers, and it is not Tocsin."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(f"what answers at {url} (status {status}) is not Tocsin: look at the address and its port.")


class NotYet(TocsinError):
    """The time is over, and it has not ended. It is not lost: ask again."""

    def __init__(self, id: str, status: str, seconds: float) -> None:
        super().__init__(f"{id} is still {status} after {seconds:g} s: it goes on by itself, look again later.")
        self.id = id
        self.status = status


class Refused(TocsinError):
    """The gateway answered that it will not. `code` is stable; `errors` has (field, what is wrong with it)."""

    def __init__(self, status: int, code: str, detail: str, errors: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(detail.rstrip(".") + ".")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)


class TokenRefused(Refused):
    """401: no token, an expired one, or one that was signed for somebody else."""


class NotFound(Refused):
    """404: it does not exist, or not for this token."""


class Unavailable(Refused):
    """503, three times: something the gateway needs is away. Repeat it later, with its key."""


_KINDS: Mapping[int, type[Refused]] = {401: TokenRefused, 404: NotFound, 503: Unavailable}


def of_problem(status: int, content: bytes) -> Refused:
    """The error that an answer without success means (RFC 9457, or whatever a proxy in between says)."""
    body = _body(content)
    code = str(body.get("code") or "unknown")
    detail = str(body.get("detail") or f"{_phrase(status)} (status {status}), without a reason")
    found = body.get("errors")
    items = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    errors = [(str(one.get("field", "")), str(one.get("message", ""))) for one in items]
    return _KINDS.get(status, Refused)(status, code, detail, errors)


def _body(content: bytes) -> dict[str, Any]:
    try:
        body = from_json(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.lower()
    except ValueError:
        return "an unknown answer"
