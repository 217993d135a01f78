"""Who asks too often is told to come back (429), and everybody how much is left: the RateLimit header fields."""

from http import HTTPStatus
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.calls import Calls
from services.gateway.http.problems import Problem, invalid
from services.gateway.rules.rates import Rate, fields
from services.gateway.rules.trust import Caller

RATE: Final = "tocsin.rate"
"""Where a request's scope keeps what its answer is to say."""


def count(calls: Calls, caller: Caller, scope: Scope, times: int = 1) -> None:
    """Counts a request, or what it comes to, against its caller's limit, if there is one.

    Raises Problem 429 where it is over that, and 422 where it will be over it in any minute.
    """
    if not calls.most or not times:
        return
    if times >= calls.most:
        raise invalid([("notifications", f"is a list of at most {calls.most}: each counts as one of your calls")])
    taken = calls.take(caller, times)
    scope[RATE] = taken or calls.left(caller)
    if taken is None:
        raise _over(scope[RATE])


def _over(rate: Rate) -> Problem:
    return Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "rate_limited",
        f"you may make {rate.most} calls a minute, each notification of a batch is one, and have {rate.left} left: "
        f"come back in {rate.seconds} s, with the same Idempotency-Key",
        headers={"Retry-After": str(rate.seconds)},
    )


class RateFields:
    """ASGI middleware: every answer to a request that was counted says what is left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and (rate := scope.get(RATE)):
                headers = MutableHeaders(scope=message)
                for name, value in fields(rate):
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, told if scope["type"] == "http" else send)
