"""A topic that was made anew must not be read from the old offsets (P9): the rules, without Kafka.

Kafka's clients show no topic ids. So every commit carries the LogAppendTime of its last record, and whoever comes back
to a partition looks at that record first.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from contracts.identity import milliseconds


@dataclass(frozen=True, slots=True)
class Committed:
    """What the group has done of a partition: the next offset, and the last record's LogAppendTime in milliseconds.

    `timestamp` is None where somebody else set the offset, an operator for instance: then it is taken at its word.
    """

    offset: int
    timestamp: int | None

    @classmethod
    def read(cls, offset: int, metadata: str | None) -> "Committed | None":
        """From the group's offsets as Kafka tells them; -1 stands for none."""
        return cls(offset, int(metadata) if metadata and metadata.isdigit() else None) if offset >= 0 else None

    @staticmethod
    def metadata(last: datetime) -> str:
        """What a commit says beside the offset."""
        return str(milliseconds(last))


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: `offset`, and the timestamp that the record standing there must have, if one is expected."""

    offset: int
    expected: int | None = None
    anew: bool = False


BEGINNING = Start(0)
ANEW = Start(0, anew=True)


def start(committed: Committed | None, end: int) -> Start:
    """Where to begin in a partition whose next record gets the offset `end`.

    An offset of 0 means the beginning, wherever that is by now: out of range is the earliest.
    """
    if committed is None or committed.offset == 0:
        return BEGINNING
    if end < committed.offset:
        return ANEW
    if committed.timestamp is None:
        return Start(committed.offset)
    return Start(committed.offset - 1, expected=committed.timestamp)


class First(Enum):
    """What the first record that came says about the place we asked for."""

    DONE = auto()
    NEXT = auto()
    ELSEWHERE = auto()
    RESET = auto()


def first(asked: int, expected: int | None, offset: int, timestamp: int) -> First:
    """Judges the first record after a start at `asked`, or any first record of a batch when none is `expected`.

    DONE: it is the last committed one; drop it and go on. NEXT: go on from what came (retention and compaction leave
    gaps). ELSEWHERE: another record at its offset, so another topic, to be read from its beginning. RESET: Kafka went
    back by itself, since the offset is out of range: another topic, and this is its beginning.
    """
    if offset < asked:
        return First.RESET
    if offset > asked or expected is None:
        return First.NEXT
    return First.DONE if timestamp == expected else First.ELSEWHERE
