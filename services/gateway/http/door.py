"""The two routes on which every microsecond counts are found by their address alone; all others FastAPI finds."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.http.problems import Last

Serve = Callable[[Request], Awaitable[Response]]


class Door:
    """ASGI. `posts` are served for POSTs to exactly these paths, their errors as problems like everybody's."""

    def __init__(self, posts: Mapping[str, Serve], others: ASGIApp) -> None:
        self._posts = posts
        self._direct = Last(self._serve)
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        direct = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._posts
        await (self._direct if direct else self._others)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._posts[scope["path"]](Request(scope, receive))
        await response(scope, receive, send)
