"""What must cost little is found by its address alone: two POSTs, and the stream's socket. All else FastAPI finds."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.http.problems import Last

Serve = Callable[[Request], Awaitable[Response]]


class Door:
    """ASGI. `posts` are served for POSTs to exactly these paths, their errors as problems like everybody's; `sockets`
    for WebSockets."""

    def __init__(self, posts: Mapping[str, Serve], sockets: Mapping[str, ASGIApp], others: ASGIApp) -> None:
        self._posts = posts
        self._sockets = sockets
        self._direct = Last(self._serve)
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._found(scope)(scope, receive, send)

    def _found(self, scope: Scope) -> ASGIApp:
        if scope["type"] == "websocket":
            return self._sockets.get(scope["path"], self._others)
        direct = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._posts
        return self._direct if direct else self._others

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._posts[scope["path"]](_Quick(scope, receive))
        await response(scope, receive, send)


class _Quick(Request):
    """Starlette's, whose headers are found by their name instead of by a walk through all of them."""

    @cached_property
    def headers(self) -> Headers:
        return _Named(scope=self.scope)


class _Named(Headers):
    """Of a name that is there twice the first is meant, as everywhere in Starlette."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._by_name = dict(reversed(self.raw))

    def get(self, key: str, default: Any = None) -> Any:
        found = self._by_name.get(key.lower().encode("latin-1"))
        return default if found is None else found.decode("latin-1")
