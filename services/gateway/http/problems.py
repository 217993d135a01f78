"""Every error is a problem (RFC 9457) with a code that programs can rely on and a sentence that people can."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.cloudevents import problems_of
from contracts.request import FILES_TOO_LARGE
from contracts.wording import worded
from kit import logs
from kit.postgres import fate

log = logs.get(__name__)

MEDIA_TYPE: Final = "application/problem+json"


class FieldError(BaseModel):
    """One thing that is wrong with the request, and where."""

    field: str
    message: str


class ProblemBody(BaseModel):
    """RFC 9457. `code` is stable; `errors` names fields where there are any."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError] | None = None


class Problem(Exception):
    """An answer that is no success. `detail` is a sentence that says what helps."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        errors: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The members of the problem."""
        errors = [{"field": field, "message": message} for field, message in self.errors]
        return {
            "type": f"urn:tocsin:problem:{self.code}",
            "title": self.status.phrase,
            "status": self.status.value,
            "code": self.code,
            "detail": self.detail,
        } | ({"errors": errors} if errors else {})

    def response(self) -> Response:
        """The answer."""
        return Response(to_json(self.body()), self.status.value, self.headers, MEDIA_TYPE)


def not_found(what: str) -> Problem:
    """It does not exist, or not for this caller: no difference is shown."""
    return Problem(HTTPStatus.NOT_FOUND, "not_found", f"there is no such {what}, or it is not yours")


def forbidden(code: str, detail: str) -> Problem:
    """The caller is known, and may not."""
    return Problem(HTTPStatus.FORBIDDEN, code, detail)


def unauthorized(detail: str) -> Problem:
    """Nobody knows who is calling; says how to get a token (RFC 6750)."""
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        f"{detail}. Send `Authorization: Bearer <token>`; `tocsin token --user <name>` prints one.",
        headers={"WWW-Authenticate": 'Bearer realm="tocsin"'},
    )


def invalid(errors: Iterable[tuple[str, str]], code: str = "validation_failed") -> Problem:
    """Something in the request cannot be used: (field, what is wrong)."""
    errors = tuple(errors)
    named = [f"{field}: {message}" if field else message for field, message in errors]
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, code, "; ".join(named[:3]), errors)


def too_large(limit: int, errors: Iterable[tuple[str, str]] = ()) -> Problem:
    """More than anybody needs. What is still on its way is not read."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"the body is larger than {limit // 1024} KiB: shorten it, or send a link instead of an attachment",
        errors,
        headers={"Connection": "close"},
    )


def files_too_large(limit: int) -> Problem:
    """The same of a notification, in which only attachments can be that large."""
    return too_large(limit, [("attachments", FILES_TOO_LARGE)])


def too_large_to_pass_on(limit: int) -> Problem:
    """Kafka would not take it: what it says grew when it was written anew."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"written out, this notification is larger than the {limit // 1024} KiB in which it can travel: "
        "shorten `data` or the attachments, or send a link instead",
    )


def too_many(detail: str, seconds: int = 30) -> Problem:
    """More at once than one caller may have."""
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, "too_many", detail, headers={"Retry-After": str(seconds)})


def unavailable(what: str, seconds: int = 1) -> Problem:
    """Something we need is away for the moment; nothing was accepted, or nobody can say so."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        f"{what} is not available at the moment: try again, with the same Idempotency-Key",
        headers={"Retry-After": str(seconds)},
    )


def of_validation(error: ValidationError, at: str = "") -> Problem:
    """What pydantic found; `at` is put before the fields."""
    return invalid(fields_of(error, at), "invalid_json" if _is_syntax(error) else "validation_failed")


def fields_of(error: ValidationError, at: str = "") -> list[tuple[str, str]]:
    """(field, what is wrong) of each finding."""
    if _is_syntax(error):
        return [(at, error.errors(include_url=False, include_input=False)[0]["msg"])]
    found = []
    for line in problems_of(error):
        field, _, message = line.partition(": ")
        found.append((f"{at}.{field}" if at else field, message) if message else (at, line))
    return found


def _is_syntax(error: ValidationError) -> bool:
    return any(found["type"] == "json_invalid" for found in error.errors(include_url=False, include_input=False))


async def on_problem(_request: Request, error: Exception) -> Response:
    """For FastAPI's list of exception handlers."""
    assert isinstance(error, Problem)
    return error.response()


async def on_bad_parameter(_request: Request, error: Exception) -> Response:
    """A query or path parameter of the wrong kind."""
    assert isinstance(error, RequestValidationError)
    found = [(str(one["loc"][-1]), worded(one)) for one in error.errors()]
    return invalid(found).response()


async def on_http(_request: Request, error: Exception) -> Response:
    """No such route, or not this method on it."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code = {404: "not_found", 405: "method_not_allowed"}.get(status.value, status.name.lower())
    return Problem(status, code, error.detail, headers=error.headers or {}).response()


class Last:
    """ASGI middleware: what nobody has caught. A database that is away is 503, and so is a gateway that goes before it
    has an answer; what the database cannot hold is 422."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            _check_head(scope)
            await self._app(scope, receive, watched)
        except Exception as error:
            problem = _of(error, scope)
            if begun:
                raise
            await problem.response()(scope, receive, send)
        except asyncio.CancelledError:  # this gateway stops, and its patience is over: uvicorn would say 500
            if begun:
                raise
            await unavailable("this gateway, which stops,").response()(scope, receive, send)


ONCE: Final = (b"host", b"authorization", b"content-length", b"transfer-encoding", b"content-type", b"idempotency-key")
"""Headers of which two say two things: whoever stands before us may have believed the other one."""


def _check_head(scope: Scope) -> None:
    """NUL can be in no text of ours: refused here, it can reach no query."""
    headers = scope["headers"]
    if len(headers) > len(dict(headers)) and _is_ambiguous([name for name, _ in headers]):
        raise Problem(HTTPStatus.BAD_REQUEST, "ambiguous_request", "a header that may be there once is there twice")
    if b"%00" in scope.get("query_string", b"") or "\x00" in scope["path"]:
        raise invalid([("", "the address holds the character NUL")])


def _is_ambiguous(names: Sequence[bytes]) -> bool:
    return any(names.count(name) > 1 for name in ONCE)


def _road(scope: Scope) -> str:
    """The path without the names in it, which may be people's or open something."""
    return str(getattr(scope.get("route"), "path", scope["path"]))


def _of(error: Exception, scope: Scope) -> Problem:
    if isinstance(error, Problem):
        return error
    match fate(error):
        case "connection":
            log.warning("request_failed", path=_road(scope), error=f"{type(error).__name__}: {error}")
            return unavailable("the database")
        case "data":
            return invalid([("", "holds something that cannot be stored")])
        case _:
            log.error("request_failed", path=_road(scope), exc_info=error)
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "a mistake of ours: it is in our log")
