"""How many requests came by which route, what was answered and how soon; never a path, which may hold an id."""

from collections.abc import Collection
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit.clock import monotonic
from kit.metrics import OTHER, Metrics

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN: Final = "OTHER"


class Measured:
    """ASGI middleware. Time is taken until an answer begins: a stream of events ends when its reader has enough."""

    def __init__(self, app: ASGIApp, metrics: Metrics, plain: Collection[str]) -> None:
        """`plain` are the paths that are routes themselves; of others FastAPI says which they belong to."""
        self._app = app
        self._metrics = metrics
        self._plain = frozenset(plain)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = monotonic()

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                method = scope["method"] if scope["method"] in METHODS else UNKNOWN
                self._metrics.request(method, self._route(scope), message["status"], monotonic() - begun)
            await send(message)

        await self._app(scope, receive, told)

    def _route(self, scope: Scope) -> str:
        if scope["path"] in self._plain:
            return str(scope["path"])
        return str(getattr(scope.get("route"), "path", OTHER))
