"""An ASGI app served inside our own event loop, by uvicorn, as one part of a service."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

GOODBYE_SECONDS: Final = 5
IDLE_SECONDS: Final = 75
"""How long a connection is kept that nobody uses: longer than clients (httpx 5 s) and load balancers (AWS 60 s) keep
theirs. Who closes first must be the one that asks: a request that meets our own closing is lost to its sender."""


class PortTaken(Exception):
    """Another program listens there already; `str()` names the setting that moves us."""


class WebServer:
    """A Part: listens from `start` to `stop`. `setting` is the name of the setting that holds its port."""

    def __init__(self, app: ASGIApp, host: str, port: int, setting: str, **options: Any) -> None:
        """`options` are uvicorn's own, for those who need more than the defaults here. Port 0 takes a free one."""
        self.host = host
        self.port = port
        self.setting = setting
        self.task: asyncio.Task[None] | None = None
        self._server = _Server(
            uvicorn.Config(
                app,
                **{
                    "interface": "asgi3",
                    "log_config": None,
                    "access_log": False,
                    "lifespan": "off",
                    "server_header": False,
                    "timeout_keep_alive": IDLE_SECONDS,
                    "timeout_graceful_shutdown": GOODBYE_SECONDS,
                }
                | options,
            )
        )

    async def start(self) -> None:
        """Raises PortTaken."""
        listener = _listen(self.host, self.port, self.setting)
        self.port = listener.getsockname()[1]
        self.task = asyncio.create_task(self._server.serve(sockets=[listener]), name=f"http {self.port}")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({self.task, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()

    async def stop(self) -> None:
        self._server.should_exit = True
        if self.task:
            await self.task


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: when to end is for the service to say."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortTaken(
            f"port {port} of {host} is taken by another program: stop it, or set {setting} to a free port"
        ) from None
    listener.setblocking(False)
    return listener
