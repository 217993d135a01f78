"""`WS /api/v1/ws/{token}`: the stream as the old system's pages listen to it: the token in the address, four types."""

from typing import Any, Final

from pydantic_core import from_json
from starlette.types import Receive, Scope, Send

from kit.postgres import fate
from kit.web_socket import SocketProtocol
from services.gateway.http.desk import Desk
from services.gateway.http.problems import Problem, unavailable
from services.gateway.stream import codes
from services.gateway.stream.frames import Frame, Words
from services.gateway.stream.listener import Listener
from services.gateway.stream.socket import StreamSocket
from services.gateway.stream.wires import SocketWire

PATH: Final = "/api/v1/ws/{token}"
TYPES: Final = frozenset({"dossier_update", "new_alert", "deadline_reminder", "daily_report"})
OTHER: Final = "new_alert"
"""What any other kind is to pages that know four."""


class CompatSocket(StreamSocket):
    """ASGI. A token that is no good is refused before the upgrade, and so is everybody while the database is away;
    there is no place to come back to.

    Those pages know no `hello`: to them the open socket is the promise, so what they hear begins before it opens.
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.admission, desk.settings.public_url, desk.settings.gateway.origins)
        self._tokens = desk.tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            query = await self._query(str(scope["path_params"]["token"]))
        except Exception as error:
            if fate(error) != "connection":
                raise
            await unavailable("the stream").response()(scope, receive, send)
            return
        if query is None:
            await receive()
            await send({"type": "websocket.close"})
            return
        await super().__call__({**scope, "query_string": query.encode()}, receive, send)

    async def _query(self, token: str) -> str | None:
        """What opens the stream as it stands now. None: the token opens nothing. An API key is a program's, and a
        program has no inbox."""
        try:
            caller = await self._tokens.caller_of(token)
        except Problem:
            return None
        if caller.scopes is not None:
            return None
        place = await self._admission.place(caller)
        return f"ticket={await self._admission.ticket(caller)}&epoch={place.epoch}&offset={place.offset}"

    def _wire(self, socket: SocketProtocol) -> SocketWire:
        return CompatWire(socket)

    def _answer(self, listener: Listener, heard: str | None) -> None:
        """Whatever those pages say has no meaning here, unless it is too much of it."""
        if heard == "too_much":
            self._hub.end(listener, codes.TOO_MUCH)


class CompatWire(SocketWire):
    """Says what is shown, in the old words, and nothing of what is done with it."""

    __slots__ = ()

    def write(self, words: Words) -> None:
        for frame in words.frames:
            said = from_json(frame.text)
            if said["type"] == "notification":
                super().write(Frame(old_words(said)))


def old_words(said: dict[str, Any]) -> dict[str, Any]:
    """A notification of the stream as those pages know it."""
    return {
        "type": said["kind"] if said["kind"] in TYPES else OTHER,
        "id": said["id"],
        "title": said["title"],
        "message": said["body"],
        "data": said["data"],
        "timestamp": said["created_at"],
    }
