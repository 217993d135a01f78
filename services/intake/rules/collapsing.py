"""Of several unsent notifications under one key only the newest is sent (P3.5)."""

from contracts.status import Channel, End
from services.intake.rules.ending import closed, end
from services.intake.rules.facts import CollapseKey, Facts, Newest
from services.intake.rules.row import Moment, Row, Step
from services.intake.rules.saying import failed


def key_of(row: Row) -> CollapseKey:
    """The key of a row that has one; its request is loaded."""
    person = row.user_id or row.wanted().to or ""
    return CollapseKey(row.tenant, person, row.channel or Channel.INAPP, row.collapse_key or "")


def place_of(row: Row) -> Newest:
    """By the time of acceptance, so that the order in which they arrive decides nothing."""
    return Newest(row.accepted_at, row.id)


def stillborn(row: Row, moment: Moment) -> Step:
    """A newer one was there before it: nobody has heard of it yet, so it ends here, whatever the verdict was."""
    ended = closed(row, End.COLLAPSED, None, moment)
    return Step(ended, (failed(ended),))


def collapsed(row: Row, facts: Facts, moment: Moment) -> Step:
    """A newer one has come."""
    return end(row, End.COLLAPSED, None, facts, moment)
