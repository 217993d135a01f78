"""Lost, not late: what nobody has heard of although those who should have spoken have read further (P3.9)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from contracts.status import Channel, End, Lane
from services.intake.rules.ending import end
from services.intake.rules.facts import Facts
from services.intake.rules.row import Moment, Row, State, Step
from services.intake.rules.saying import say

OVERDUE: Final = timedelta(minutes=10)
"""How long past its expiry an open row is left to those who have it (P3.7)."""


@dataclass(frozen=True, slots=True)
class SweepPace:
    """How patient and how loud the sweep is. `pause` doubles with each time that a row was driven again."""

    slack: timedelta = timedelta(minutes=2)
    pause: timedelta = timedelta(minutes=2)
    per_second: int = 100
    alarm_after: int = 5
    overdue: timedelta = OVERDUE


@dataclass(frozen=True, slots=True)
class Pile:
    """Open rows that wait for the same: a timer, or one lane of one sender. `channel` None: a timer."""

    channel: Channel | None
    lane: Lane
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.channel or State.WAITING}.{self.lane}")


PILES: Final = tuple(Pile(channel, lane) for lane in Lane for channel in (*Channel, None))
"""All of them, the most urgent first."""
_FOR: Final = {(pile.channel, pile.lane): pile for pile in PILES}


def pile_of(row: Row) -> Pile | None:
    """Where an open row lies. An end that was asked for travels in the urgent lane."""
    match row.state:
        case State.WAITING:
            return _FOR[None, row.lane]
        case State.HANDED if row.channel is not None:
            return _FOR[row.channel, Lane.URGENT if row.end else row.lane]
        case _:
            return None


def look_at(row: Row, moment: Moment) -> datetime | None:
    """The instant that must have been served past, with slack, before `row` is lost; None for what is not open.

    By clock() for what waits, because its instant is; by the real time for what was handed over.
    """
    match row.state:
        case State.WAITING:
            planned = max(row.planned_at or row.since, row.since + moment.skew)
            return max(planned, row.rest_until + moment.skew) if row.rest_until else planned
        case State.HANDED:
            return max(row.since, row.rest_until) if row.rest_until else row.since
        case _:
            return None


def driven(row: Row, facts: Facts, pace: SweepPace, moment: Moment) -> Step:
    """Said again as stored, and left alone for twice as long as the last time."""
    row = resting(row, pace, moment)
    return Step(row, say(row, facts))


def resting(row: Row, pace: SweepPace, moment: Moment) -> Row:
    """`row` after one more sweep."""
    sweeps = row.sweeps + 1
    rest = moment.real + pace.pause * 2 ** min(sweeps, 12)
    return row._replace(sweeps=sweeps, since=moment.real, rest_until=rest)


def overdue(row: Row, facts: Facts, moment: Moment) -> Step:
    """Open long past its expiry: a waiting one ends, of a handed one the end is asked for (P3.7)."""
    return end(row, End.EXPIRED, None, facts, moment)
