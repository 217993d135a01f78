"""`WS /v1/stream`: a ticket and a place in the query, frames from here on (docs/stream.md)."""

from collections.abc import Collection

from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope, Send

from kit.clock import monotonic
from kit.web_socket import SOCKET, SocketProtocol
from services.gateway.rules.chatter import Chatter
from services.gateway.rules.origins import may_open
from services.gateway.rules.resuming import Place, place_of
from services.gateway.stream import codes
from services.gateway.stream.admission import Admission
from services.gateway.stream.codes import Close
from services.gateway.stream.frames import PONG
from services.gateway.stream.listener import Listener
from services.gateway.stream.wires import SocketWire


class StreamSocket:
    """ASGI, for sockets that `kit.web_socket.SocketProtocol` serves."""

    def __init__(self, admission: Admission, public_url: str, origins: Collection[str]) -> None:
        self._admission = admission
        self._hub = admission.hub
        self._public_url = public_url
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if not self._may_open(Headers(scope=scope)):
            await send({"type": "websocket.close"})  # before it is accepted: an answer 403, and no socket
            return
        await send({"type": "websocket.accept"})
        socket: SocketProtocol = scope["extensions"][SOCKET]
        socket.forget_request()
        admitted = await self._admitted(QueryParams(scope["query_string"]), self._wire(socket))
        if isinstance(admitted, Close):
            socket.end(admitted.code, admitted.reason)
            return
        try:
            await self._listen(admitted, receive)
        finally:
            self._hub.leave(admitted)

    def _wire(self, socket: SocketProtocol) -> SocketWire:
        return SocketWire(socket)

    def _may_open(self, headers: Headers) -> bool:
        return may_open(headers.get("origin"), headers.get("host", ""), self._public_url, self._origins)

    async def _admitted(self, asked: QueryParams, wire: SocketWire) -> Listener | Close:
        try:
            place: Place | None = place_of(asked.get("epoch"), asked.get("offset"))
        except ValueError:
            return codes.BAD_PLACE
        return await self._admission.admit(asked.get("ticket", ""), place, wire)

    async def _listen(self, listener: Listener, receive: Receive) -> None:
        """Until the socket is closed, by whichever side."""
        pace = self._hub.pace
        chatter = Chatter(pace.frames, pace.heartbeat)
        while (message := await receive())["type"] == "websocket.receive":
            self._answer(listener, chatter.heard(message.get("text"), monotonic()))

    def _answer(self, listener: Listener, heard: str | None) -> None:
        match heard:
            case "ping":
                listener.wire.write(PONG)
            case "nonsense":
                self._hub.end(listener, codes.BAD_FRAME)
            case "too_much":
                self._hub.end(listener, codes.TOO_MUCH)
