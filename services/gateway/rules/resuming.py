"""Where a stream goes on for somebody who was here before, and whether nothing is missing (P6.4)."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

MOST_MISSED: Final = 10_000
"""Who has missed more than these loads the inbox anew: that is quicker than hearing it all."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client says it was: the last offset it has seen, of that epoch."""

    epoch: UUID
    offset: int


@dataclass(frozen=True, slots=True)
class Stream:
    """How a person's stream stands: its last offset, and up to which one something is not kept any more."""

    epoch: UUID
    last: int
    trimmed: int


def place_of(epoch: str | None, offset: str | None) -> Place | None:
    """The place as a client names it. None where it names none. Raises ValueError for what is no place."""
    if not epoch and not offset:
        return None
    if not epoch or not offset or not offset.isascii() or not offset.isdigit() or len(offset) > 18:
        raise ValueError("epoch and offset belong together: those of the last frame that was seen")
    return Place(UUID(epoch), int(offset))


def place_of_event(id: str) -> Place | None:
    """The place in a `Last-Event-ID`, as `event_id` wrote it. Raises ValueError for what is none."""
    epoch, _, offset = id.partition(":")
    return place_of(epoch, offset)


def event_id(epoch: UUID, offset: int) -> str:
    """The place as the id of a server-sent event."""
    return f"{epoch}:{offset}"


def resumed(place: Place | None, stream: Stream) -> tuple[int, bool]:
    """The offset behind which the stream goes on, and whether that is all that was missed.

    An epoch of its own has every restored database: offsets are given out anew there. An offset from the future can
    only come from one whose epoch nobody raised.
    """
    if place is None or place.epoch != stream.epoch:
        return stream.last, False
    kept = stream.trimmed <= place.offset <= stream.last
    return (place.offset, True) if kept and stream.last - place.offset <= MOST_MISSED else (stream.last, False)
