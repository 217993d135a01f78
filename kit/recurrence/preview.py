"""What will fire, shown before it does."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal

from kit.recurrence import clocks, cron
from kit.recurrence.rule import Rule

Note = Literal["gap", "overlap"]


@dataclass(frozen=True, slots=True)
class Firing:
    """One firing: its instant in UTC, and as the clock on the wall shows it (with the offset).

    `note`: "gap" where the time of day that was asked for does not exist, and this is the gap's end; "overlap" where
    the wall shows this time twice.
    """

    at: datetime
    local: datetime
    note: Note | None = None


def preview(rule: Rule, then: datetime, count: int) -> list[Firing]:
    """The next `count` firings after `then`, or fewer where it ends."""
    return [firing(rule, at) for at in islice(rule.firings(then), count)]


def firing(rule: Rule, at: datetime) -> Firing:
    """A firing of this rule, as people see it."""
    return Firing(at, at.astimezone(rule.zone), _note(rule, at))


def _note(rule: Rule, at: datetime) -> Note | None:
    gap = clocks.gap_ending(at, rule.zone) if rule.cron else None
    if gap and rule.cron and cron.fills(rule.cron, gap):
        return "gap"
    return "overlap" if clocks.is_twice(at, rule.zone) else None
