"""What is said on a stream: each frame is written once, however many hear it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json, to_json

from kit.web_socket import text_frame
from services.gateway.rules.resuming import event_id
from services.gateway.store.stream import Step
from services.gateway.stream.codes import Close

TOGETHER: Final = 16 * 1024
"""Bytes of frames that go out at once: whoever takes nothing is seen before more is written to him."""


class Words(ABC):
    """What goes to a client in one write. `offset`: the last place in the person's stream that is in it; None for what
    has none, such as a count."""

    __slots__ = ("_event", "_socket", "offset")

    def __init__(self, offset: int | None) -> None:
        self.offset = offset
        self._socket: bytes | None = None
        self._event: bytes | None = None

    def for_socket(self) -> bytes:
        """As a WebSocket carries it."""
        if self._socket is None:
            self._socket = self._as_socket()
        return self._socket

    def for_events(self, epoch: UUID) -> bytes:
        """As server-sent events; the id of each is where a client goes on that has heard it."""
        if self._event is None:
            self._event = self._as_events(epoch)
        return self._event

    @property
    @abstractmethod
    def frames(self) -> Sequence["Frame"]:
        """The frames that it is made of."""

    @abstractmethod
    def _as_socket(self) -> bytes: ...

    @abstractmethod
    def _as_events(self, epoch: UUID) -> bytes: ...


class Frame(Words):
    """One frame, as JSON in `text`."""

    __slots__ = ("text",)

    def __init__(self, content: dict[str, Any], offset: int | None = None) -> None:
        super().__init__(offset)
        self.text = to_json(content)

    @property
    def frames(self) -> Sequence["Frame"]:
        return (self,)

    def _as_socket(self) -> bytes:
        return text_frame(self.text)

    def _as_events(self, epoch: UUID) -> bytes:
        id = b"" if self.offset is None else f"id: {event_id(epoch, self.offset)}\n".encode()
        return b"%bdata: %b\n\n" % (id, self.text)


class Several(Words):
    """Frames that go out together: a write to a socket costs more than making what is written."""

    __slots__ = ("_frames",)

    def __init__(self, frames: Sequence[Frame]) -> None:
        super().__init__(max((one.offset for one in frames if one.offset is not None), default=None))
        self._frames = frames

    @property
    def frames(self) -> Sequence[Frame]:
        return self._frames

    def _as_socket(self) -> bytes:
        return b"".join([one.for_socket() for one in self._frames])

    def _as_events(self, epoch: UUID) -> bytes:
        return b"".join([one.for_events(epoch) for one in self._frames])


def together(frames: Iterable[Frame]) -> Iterator[Several]:
    """The same frames in fewer writes, each of TOGETHER bytes at most, or of one frame."""
    some: list[Frame] = []
    size = 0
    for one in frames:
        if some and size + len(one.text) > TOGETHER:
            yield Several(some)
            some, size = [], 0
        some.append(one)
        size += len(one.text)
    if some:
        yield Several(some)


class News:
    """What has come behind `after` for one person: frames, the last of which has `last`, and how much is unread now."""

    __slots__ = ("_together", "after", "count", "frames", "last", "unread")

    def __init__(self, after: int, frames: Sequence[Frame], last: int, unread: int) -> None:
        self.after = after
        self.frames = frames
        self.last = last
        self.unread = unread
        self.count = count(unread)
        small = sum(len(one.text) for one in frames) <= TOGETHER
        self._together = (Several(frames), Several([*frames, self.count])) if small else None

    def together(self, told: int) -> Several | None:
        """All of it at once, for one who was told of so many unread; None where that is too much to be at once."""
        return self._together and self._together[told != self.unread]


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
