"""The end that somebody asks for: of a waiting row it is ours, of a handed one the sender's alone (P3.4)."""

from contracts.status import End
from services.intake.rules.facts import Facts
from services.intake.rules.row import Moment, Row, State, Step
from services.intake.rules.saying import ending, failed, say, take_back


def end(row: Row, kind: End, reason: str | None, facts: Facts, moment: Moment) -> Step:
    """Ask for the end of `row`. The first kind that was asked for stays; what has ended says how."""
    match row.state:
        case State.WAITING:
            ended = closed(row, kind, reason, moment)
            return Step(ended, (failed(ended), take_back(row)))
        case State.HANDED:
            asked = row if row.end else row._replace(end=kind, reason=reason or kind.value)
            asked = asked._replace(since=moment.real)
            return Step(asked, (ending(asked),))
        case _:
            return Step(row, say(row, facts))


def closed(row: Row, kind: End, reason: str | None, moment: Moment) -> Row:
    """`row` as it is when it ended for `kind`, by intake."""
    return row._replace(
        state=State.ENDED,
        outcome=kind.outcome,
        reason=reason or kind.value,
        detail=None,
        since=moment.real,
        rest_until=None,
    )
