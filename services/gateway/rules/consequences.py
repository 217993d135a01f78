"""What follows from rows that a batch has just changed: answers, counts, and what came too late."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.status import Status
from services.gateway.rules.projection import CANCELLED, SENT, Change, Order
from services.gateway.rules.timeline import Entry, cancel_too_late, move_too_late

Move = tuple[datetime, str, str, str | None, str | None]
"""Hour, tenant and owner of a row, and the labels of its count, before and after."""


class Row(NamedTuple):
    """A notification's row after the batch. `was` and `counted` are the labels of its count, before and after."""

    id: UUID
    place: UUID
    hour: datetime
    tenant: str
    owner: str
    was: str | None
    counted: str | None
    rank: int
    posted: bool
    parent: UUID | None
    edit: int
    sent_at: datetime | None
    asked_here: bool
    """REST has accepted it, and written down how it is found."""
    watched: bool = False
    """The tenant has webhooks."""
    was_cleaned: bool = False
    """It was deleted after its end: what still comes is about something that is not there any more (P8)."""

    @property
    def move(self) -> Move:
        """From which count to which it goes."""
        return self[2:7]

    @property
    def is_new_there(self) -> bool:
        """The batch has raised it to its rank, or told it first."""
        return self.was is None or not self.was.endswith(f":{self.rank}")


class Known(NamedTuple):
    """The part of a row that tells what came too late."""

    id: UUID
    place: UUID
    rank: int
    was: str | None
    edit: int
    sent_at: datetime | None


class CountKey(NamedTuple):
    """What is counted apart."""

    hour: datetime
    tenant: str
    owner: str
    channel: str
    rank: int


@dataclass(frozen=True, slots=True)
class Answers:
    """The outbox rows that have their answer (P6.1): whose everything, whose request, whose moves up to which edit,
    and of which parents everything, once no child is open."""

    final: list[UUID]
    judged: list[UUID]
    moved: list[tuple[UUID, int]]
    families: list[UUID]

    def __bool__(self) -> bool:
        return bool(self.final or self.judged or self.moved)


def answers(rows: Iterable[Row], changes: Mapping[UUID, Change]) -> Answers:
    """A request is answered by `scheduled` or an end, a cancel by an end, a move by its number or an end.

    Any event of a child answers its parent's request (P6.3): the judge has split it. What was cleaned up had ended: any
    word of the judge's about it answers all that is asked about it (P8).
    """
    found = Answers([], [], [], [])
    for row in rows:
        change = changes[row.id]
        if row.parent is not None and change.entries:
            _answer_parent(found, row.parent, row, change)
        if row.was_cleaned:
            found.final.extend([row.id] if change.entries else [])
        elif not row.posted:
            continue
        elif row.rank >= CANCELLED:
            found.final.append(row.id)
        elif change.edit >= 0:
            found.judged.append(row.id)
            found.moved.append((row.id, change.edit))
    return found


def _answer_parent(found: Answers, parent: UUID, child: Row, change: Change) -> None:
    found.judged.append(parent)
    if change.edit >= 0:
        found.moved.append((parent, change.edit))
    if child.rank >= CANCELLED or child.was_cleaned:
        found.families.append(parent)


def counts(moved: Iterable[Move]) -> Counter[CountKey]:
    """By how much each count moves: a row leaves the status it was counted under for the one it has now."""
    moves: Counter[CountKey] = Counter()
    for (hour, tenant, owner, was, counted), n in Counter(moved).items():
        if was == counted:
            continue
        for label, by in ((was, -n), (counted, n)):
            if label is not None:
                moves[_key(hour, tenant, owner, label)] += by
    return moves


def _key(hour: datetime, tenant: str, owner: str, label: str) -> CountKey:
    """What a label stands for; behind a "?" it was given before anybody knew the owner."""
    channel, _, rank = label.removeprefix("?").rpartition(":")
    return CountKey(hour, tenant, "" if label.startswith("?") else owner, channel, int(rank))


def too_late(
    known: Iterable[Known | Row], orders: Iterable[Order], cancelled: frozenset[UUID]
) -> list[tuple[UUID, Entry]]:
    """Lines for what a provider took although somebody had asked to stop or move it (P2), by place.

    `cancelled` are those that this batch calls cancelled; so is one that was shown as cancelled before.
    """
    taken = {row.id: row for row in known if row.rank >= SENT}
    lines = [
        (row.place, cancel_too_late(row.sent_at))
        for row in taken.values()
        if row.sent_at and (row.id in cancelled or _was_cancelled(row))
    ]
    for order in orders:
        row = taken.get(order.id)
        if row is None:
            continue
        at = max(order.at, row.sent_at or order.at)
        if order.kind == "cancel":
            lines.append((row.place, cancel_too_late(at)))
        elif order.edit > row.edit:
            lines.append((row.place, move_too_late(order.edit, at)))
    return lines


def _was_cancelled(row: Known | Row) -> bool:
    return row.was is not None and row.was.endswith(f":{Status.CANCELLED.rank}")
