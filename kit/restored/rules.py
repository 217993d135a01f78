"""Whether a consumer group has come to where a topic ended when the database was restored: rules, without I/O."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from contracts.topics import (
    INTAKE,
    INTAKE_DIRECTORY,
    INTAKE_OUTCOMES,
    SCHEDULER,
    SCHEDULER_DEADLINES,
    SCHEDULER_SCHEDULES,
    Group,
)
from kit.bus.placement import Committed
from kit.bus.record import Partition

WAITS_FOR: Final[Mapping[str, tuple[Group, ...]]] = {
    "intake": (INTAKE, INTAKE_OUTCOMES, INTAKE_DIRECTORY),
    "scheduler": (
        *(SCHEDULER, SCHEDULER_SCHEDULES, SCHEDULER_DEADLINES),
        *(INTAKE, INTAKE_OUTCOMES, INTAKE_DIRECTORY),
    ),
}
"""Who acts on time alone, and the groups that have to have read again what could change that. Those of senders are not
among them: an installation may run without one, and their claims are rebuilt by the restore itself."""


class Mark(NamedTuple):
    """Up to here (`through`, the next offset) this group has to read this partition again. `stale_at`: the timestamp
    beside its position, where that is of an older topic."""

    consumer: str
    topic: str
    partition: int
    through: int
    stale_at: int | None
    restored_at: datetime


Span = tuple[int, int]
"""The first offset that a partition holds, and the next one to be written."""


def marks(
    consumers: Iterable[Group],
    ends: Mapping[Partition, int],
    positions: Mapping[str, Mapping[Partition, Committed | None]],
    restored_at: datetime,
) -> list[Mark]:
    """What is to be read again: of each group all that its topics hold. `positions`: where groups are set back to."""
    found = []
    for group in consumers:
        names, told = {topic.name for topic in group.topics}, positions.get(group.name, {})
        for place, end in ends.items():
            if place[0] in names and end:
                found.append(Mark(group.name, *place, end, _stale(told.get(place), end), restored_at))
    return found


def _stale(position: Committed | None, end: int) -> int | None:
    return position.timestamp if position and position.offset > end else None


def passed(mark: Mark, spans: Mapping[Partition, Span], topics: Collection[str], position: Committed | None) -> bool:
    """`spans`: of all partitions there are now, `topics`: of all topics. `position`: what the group has committed.

    A topic that is gone is waited for: it will be made anew. Nothing is waited for that Kafka does not hold any more.
    """
    if mark.topic not in topics:
        return False
    if (span := spans.get((mark.topic, mark.partition))) is None:
        return True  # made anew, with fewer partitions
    beginning, end = span
    target = min(mark.through, end)
    if target <= beginning:
        return True
    if position is None or position.offset > end or (mark.stale_at is not None and position.timestamp == mark.stale_at):
        return False
    return position.offset >= target
