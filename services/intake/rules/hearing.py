"""What others say became of a notification: intake keeps it for who asks again, and so that the sweep is quiet."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from contracts import events as e
from contracts.status import End, Status
from services.intake.rules.asking import step_ids
from services.intake.rules.ending import end
from services.intake.rules.facts import Facts
from services.intake.rules.row import Moment, Row, State, Step

ACKNOWLEDGED: Final = "acknowledged"
ENDS_STEPS: Final = {"read": ACKNOWLEDGED, "archived": ACKNOWLEDGED, "recalled": "recalled"}
"""What becomes of an entry after which nothing has to follow, and why: its person has seen it, or it was taken back."""


class Known(NamedTuple):
    """As much of a row as an outcome needs: it is the most frequent news, and most of a row is none of its business.

    `answer` (with `reason` and `detail`) is only what was heard just now.
    """

    id: UUID
    accepted_at: datetime
    state: State
    outcome: Status | None
    unknown: int
    reason: str | None = None
    detail: str | None = None
    answer: bytes | None = None


R = TypeVar("R", Row, Known)


def heard(row: R, event: e.Taken | e.Failed, words: bytes) -> R:
    """The highest outcome, and the highest count of hand-overs of unknown fate (P2). `words`: the event as it came."""
    if row.state in (State.EXPECTED, State.SPLIT):
        return row
    status = event.status if isinstance(event, e.Taken) else Status(event.outcome)
    unknown = max(row.unknown, event.unknown)
    if row.outcome is None or status.rank > row.outcome.rank:
        reason = event.reason if isinstance(event, e.Failed) else None
        return row._replace(
            state=State.ENDED, outcome=status, reason=reason, detail=None, answer=words, unknown=unknown
        )
    return row if unknown == row.unknown else row._replace(unknown=unknown)


def postponed(row: Row, until: datetime, moment: Moment) -> Row:
    """A sender tries again at `until` (by clock()): before that the row is not lost (P3.9)."""
    real = until - moment.skew
    return row._replace(since=real) if row.is_open and real > row.since else row


def steps_after(row: Row) -> tuple[UUID, ...]:
    """The ids of an escalation that ends when `row` is read (P3.8)."""
    return step_ids(row.parent or row.id) if row.steps else ()


def acknowledged(
    row: Row, rows: Mapping[UUID, Row], facts: Facts, moment: Moment, reason: str = ACKNOWLEDGED
) -> list[Step]:
    """Somebody has read `row`: what was to follow is not needed any more, and says so at every repeat."""
    parent = row.parent or row.id
    waiting = (rows.get(id) for id in steps_after(row))
    return [
        end(step, End.CANCELLED, reason if step.is_open else step.reason or reason, facts, moment)
        for step in waiting
        if step and step.parent == parent and step.id != row.id and (step.is_open or step.reason in ENDS_STEPS.values())
    ]
