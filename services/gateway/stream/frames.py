"""What is said on a stream: each frame is written once, however many hear it."""

from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json, to_json

from kit.web_socket import text_frame
from services.gateway.rules.resuming import event_id
from services.gateway.store.stream import Step
from services.gateway.stream.codes import Close


class Frame:
    """One frame. `offset` is its place in the person's stream; None for what has none, such as a count."""

    __slots__ = ("_event", "_socket", "offset", "text")

    def __init__(self, content: dict[str, Any], offset: int | None = None) -> None:
        self.offset = offset
        self.text = to_json(content)
        self._socket: bytes | None = None
        self._event: bytes | None = None

    def for_socket(self) -> bytes:
        """As a WebSocket carries it."""
        if self._socket is None:
            self._socket = text_frame(self.text)
        return self._socket

    def for_events(self, epoch: UUID) -> bytes:
        """As a server-sent event; its id is where a client goes on that has heard it."""
        if self._event is None:
            id = b"" if self.offset is None else f"id: {event_id(epoch, self.offset)}\n".encode()
            self._event = b"%bdata: %b\n\n" % (id, self.text)
        return self._event


HEARTBEAT: Final = Frame({"type": "heartbeat"})
PONG: Final = Frame({"type": "pong"})


def hello(epoch: UUID, offset: int, unread: int, recovered: bool) -> Frame:
    """The first frame: what follows lies behind `offset`. Not `recovered`: load the inbox."""
    said = {"type": "hello", "epoch": epoch, "offset": offset, "unread": unread, "recovered": recovered}
    return Frame(said, offset)


def count(unread: int) -> Frame:
    """How much of the inbox is unread now."""
    return Frame({"type": "unread_count", "unread": unread})


def goodbye(close: Close) -> Frame:
    """Server-sent events have no close codes: the last event says it."""
    return Frame({"type": "close", "code": close.code, "reason": close.reason})


def frame(step: Step) -> Frame:
    """A step of the stream. An entry and an update carry all that is shown, any other change its id alone."""
    said: dict[str, Any] = {"type": step.what, "offset": step.offset, "id": step.id}
    if step.what in ("notification", "updated"):
        data = from_json(step.data)["data"] if step.data else None
        said |= {"kind": step.kind, "category": step.category, "title": step.title, "body": step.body, "data": data}
        said |= {"read_at": step.read_at, "archived_at": step.archived_at}
    return Frame(said | {"created_at" if step.what == "notification" else "at": step.at}, step.offset)
