"""Who sends a request drop by drop holds a connection for seconds and not for ever; who is one too many hears so."""

from asyncio import Transport
from http import HTTPStatus
from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from kit.web_socket import RequestProtocol
from services.gateway.http.edge.crowd import Crowd
from services.gateway.lookout import Lookout


class Impatient(RequestProtocol):
    """uvicorn's HTTP, which knows no limit for a request that does not end: a head has `head_seconds` and `head_bytes`,
    a body `body_seconds`. How long an answer takes is not its business."""

    head_seconds = 10.0
    body_seconds = 30.0
    head_bytes = 64 * 1024

    def __init__(self, *told: Any, crowd: Crowd | None = None, **more: Any) -> None:
        super().__init__(*told, **more)
        self._crowd = crowd
        self._lookout = Lookout(self._is_over)
        self._over: float | None = None
        self._in_head = False
        self._head = 0
        self._heads = 0

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(self.head_seconds)

    def data_received(self, data: bytes) -> None:
        head = self._heads if self._in_head else None
        super().data_received(data)
        if self._in_head and self._heads == head:  # all of it belongs to one head
            self._head += len(data)
            if self._head > self.head_bytes:
                self._end(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head = True, 0
        self._heads += 1
        if self._over is None:  # another request of the same connection
            self._expect(self.head_seconds)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._expect(self.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._stop_waiting()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._forget()
        super().handle_websocket_upgrade()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Behind others of its connection it goes the long way: each that is turned away here begins the next one."""
        refusal = self._crowd.refusal(cycle.scope) if self._crowd and not self.pipeline else None
        if refusal is None:
            super()._start_asgi_task(cycle, app)
        else:
            self._turn_away(cycle, refusal)

    def _turn_away(self, cycle: RequestResponseCycle, refusal: bytes) -> None:
        """Its body, if there is one, is not kept."""
        own = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        if not cycle.keep_alive:
            own.append(b"connection: close\r\n")
        self.transport.write(b"".join([STATUS_LINE[HTTPStatus.SERVICE_UNAVAILABLE], *own, refusal]))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _expect(self, seconds: float) -> None:
        self._over = self.loop.time() + seconds
        self._lookout.set(self._over)

    def _stop_waiting(self) -> None:
        self._over = None

    def _forget(self) -> None:
        self._stop_waiting()
        self._lookout.cancel()

    def _is_over(self) -> float | None:
        if self._over is not None and self.loop.time() >= self._over:
            self._end(HTTPStatus.REQUEST_TIMEOUT)
            return None
        return self._over  # another one has begun since

    def _end(self, status: HTTPStatus) -> None:
        """Says why, where nothing has been said yet."""
        if not self.transport.is_closing() and self._in_head:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()
