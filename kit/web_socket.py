"""A WebSocket that is written to without waiting, by one who looks how much it has not taken yet."""

from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

GOODBYE_SECONDS: Final = 2.0
"""What the other side does not take within this time after a close, it never will: without an end by force, whoever
does not read would keep his connection, and what waits in it, for as long as he likes."""

SOCKET: Final = "tocsin.socket"
"""The extension of a WebSocket's scope that holds its `SocketProtocol`."""
TRANSPORT: Final = "tocsin.transport"
"""The extension of a request's scope that holds its transport, for an end by force."""


def text_frame(text: bytes) -> bytes:
    """A text message as a server writes it (RFC 6455, 5.2): the same bytes for everybody."""
    return bytes(Frame(Opcode.TEXT, text).serialize(mask=False))


class SocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's own, which can also be written to directly: `WebServer(..., ws=SocketProtocol)`."""

    @property
    def open(self) -> bool:
        """Accepted, and nobody has said goodbye."""
        return self.handshake_complete and not self.close_sent and not self.transport.is_closing()

    @property
    def backlog(self) -> int:
        """Bytes that were written and that the network has not taken yet."""
        return int(self.transport.get_write_buffer_size())

    def put(self, frame: bytes) -> None:
        """Writes one whole frame; waits for nothing. After the end it is nobody's any more."""
        if self.open:
            self.transport.write(frame)

    def forget_request(self) -> None:
        """What the accepted request came with is not asked for any more: it would be kept as long as the socket."""
        self.request = self.response = None  # type: ignore[assignment]
        self.scope["headers"] = []

    async def drained(self) -> None:
        """Returns when there is room again, or when the connection is lost."""
        await self.writable.wait()

    def end(self, code: int, reason: str) -> None:
        """Says goodbye (RFC 6455, 7.4); who does not answer in time is cut off."""
        if not self.open:
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)

    def shutdown(self) -> None:
        """Who is not in yet is told to come back, where uvicorn says that something is wrong (500)."""
        if not (self.handshake_complete or self.initial_response or self.close_sent):
            answer = self.conn.reject(HTTPStatus.SERVICE_UNAVAILABLE, "this server stops: try again")
            answer.headers["Retry-After"] = "1"
            self.conn.send_response(answer)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        super().shutdown()

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"][SOCKET] = self  # type: ignore[assignment]

    def handle_ping(self) -> None:
        """Who asks without reading the answers gets none: they would pile up (RFC 6455, 5.5.3 needs only the last)."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_close(self, event: Any) -> None:
        super().handle_close(event)
        self._cut_off()

    def handle_parser_exception(self) -> None:
        super().handle_parser_exception()
        self._cut_off()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._cut_off()

    def _cut_off(self) -> None:
        """uvicorn closes a transport once all is written, which may be never."""
        if self.transport.is_closing():
            self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)


class RequestProtocol(HttpToolsProtocol):
    """uvicorn's own, whose requests can end their connection by force: `WebServer(..., http=RequestProtocol)`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {TRANSPORT: self.transport}  # type: ignore[dict-item]
