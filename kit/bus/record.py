"""What comes from Kafka, and what goes there."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Self

from aiokafka import ConsumerRecord

from contracts.cloudevents import Encoded, Place, Undecodable, decode, encode
from contracts.events import Event, Unacceptable
from contracts.identity import milliseconds
from contracts.topics import Topic, of_event

Partition = tuple[str, int]
"""A topic's name, without the installation's prefix, and a number."""

Position = tuple[int, datetime]
"""The next offset to read, and the LogAppendTime of the last record before it (P9)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AS_OF = "as_of"

# An escaped NUL, and not the text of one: the backslash before the u is not itself escaped.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Received(NamedTuple):
    """One record as it stands in the log; `timestamp` is its LogAppendTime."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @classmethod
    def of(cls, topic: str, record: ConsumerRecord) -> Self:
        """`topic` is the record's own, without the prefix."""
        return cls(
            topic, record.partition, record.offset, instant(record.timestamp), record.key, record.value, record.headers
        )

    @property
    def as_of(self) -> datetime:
        """When this was first said: a projection that is published again carries its own time (P9).

        That time cannot be later than the record itself: anybody may write headers, and nobody can date ahead.
        """
        given = dict(self.headers).get(AS_OF, b"")
        return min(instant(int(given)), self.timestamp) if given.isdigit() and len(given) <= 14 else self.timestamp

    def event(self, topic: Topic) -> Event | None:
        """What it says; None for an event that this version does not know yet.

        Raises Undecodable for poison (P7). A NUL is poison even where JSON allows it, since no text in PostgreSQL can
        hold one; in an outside request it is a reason for a rejection instead.
        """
        event = decode(topic, self.key, self.value, self.headers, Place(self.partition, self.offset, self.timestamp))
        if self.value and b"\\u0000" in self.value and _NUL.search(self.value) and not isinstance(event, Unacceptable):
            raise Undecodable("holds the character NUL")
        return event


class Outgoing(NamedTuple):
    """An event that was decided on, and the topic it goes to."""

    topic: Topic
    event: Event
    as_of: datetime | None = None

    @classmethod
    def of(cls, event: Event) -> Self:
        """To the topic where such events belong."""
        return cls(of_event(event), event)

    def encoded(self, source: str) -> Encoded:
        """As Kafka takes it, said by `source`. ValueError when it cannot be written (a lone surrogate)."""
        encoded = encode(self.event, source)
        if self.as_of is not None:
            encoded.headers.append((AS_OF, str(milliseconds(self.as_of)).encode()))
        return encoded


def reached(records: Iterable[Received]) -> dict[Partition, Position]:
    """How far a batch goes in each partition. Offsets have gaps: what counts is the last one, not how many."""
    positions: dict[Partition, Position] = {}
    for record in records:
        place = record.topic, record.partition
        if place not in positions or record.offset >= positions[place][0]:
            positions[place] = record.offset + 1, record.timestamp
    return positions


def instant(unix_ms: int) -> datetime:
    """The UTC instant of a Kafka timestamp, exactly."""
    return EPOCH + timedelta(milliseconds=unix_ms)
