"""A request is judged once, when it first comes; its repeats hear what was decided then (P3.1)."""

from typing import Any

from contracts.events import Content, Refused
from contracts.status import End, Status
from services.intake.rules.asking import Asked
from services.intake.rules.ending import closed
from services.intake.rules.facts import Facts, GroupEnd, default_expiry
from services.intake.rules.row import Moment, Row, State, Step
from services.intake.rules.saying import say
from services.intake.rules.verdict import Later, Never, Now, Verdict, expiry, judge


def answer(row: Row | None, asked: Asked, facts: Facts, moment: Moment) -> Step:
    """What a request makes of `row`: None, or the memory of edits that came before it, or what it made of it before."""
    if row is None or row.is_stub:
        return accept(row, asked, facts, moment)
    if row.fingerprint != asked.fingerprint:
        return Step(row, (Refused.of(asked.event, asked.fingerprint),))
    return Step(row, say(row._replace(body=asked.body, request=asked.request), facts, asked.again))


def accept(stub: Row | None, asked: Asked, facts: Facts, moment: Moment) -> Step:
    """Judged as new, also where the gateway says it again because nobody ever heard of it."""
    stub = stub if stub and stub.tenant == asked.event.tenant else None
    row = _first(stub, asked, moment)
    if asked.is_split:
        return Step(row._replace(state=State.SPLIT))
    if stub and stub.state is State.ENDED:
        row = closed(row, End.CANCELLED, stub.reason, moment)
    elif asked.problems:
        row = concluded(row, Never(Status.REJECTED, "invalid", printable("; ".join(asked.problems))), moment)
    elif met := group_end(row, facts):
        row = closed(row, End.CANCELLED, met.reason, moment)
    else:
        return settled(row, judge(row, facts, moment), facts, moment)
    return Step(row, say(row, facts))


def opened(row: Row, stub: Row | None, facts: Facts, moment: Moment) -> Step:
    """One of intake's own making (P3.8), judged like any that was asked for, unless it was cancelled before."""
    if stub and stub.tenant == row.tenant and stub.state is State.ENDED:
        ended = closed(row, End.CANCELLED, stub.reason, moment)
        return Step(ended, say(ended, facts))
    return settled(row, judge(row, facts, moment), facts, moment)


def settled(row: Row, verdict: Verdict, facts: Facts, moment: Moment) -> Step:
    """`row` with the verdict on it, and what is said of that."""
    row = concluded(row, verdict, moment)
    content: Content | None = verdict.content if isinstance(verdict, Now) else None
    place = None if isinstance(verdict, Never) else verdict.place
    return Step(row, say(row, facts, content=content), place)


def concluded(row: Row, verdict: Verdict, moment: Moment) -> Row:
    """The verdict and its inputs, stored; from now on the row says it."""
    changes: dict[str, Any] = {"since": moment.real, "sweeps": 0, "rest_until": None, "reason": None, "detail": None}
    match verdict:
        case Now(frozen):
            changes.update(state=State.HANDED, frozen=frozen)
        case Later(at, why):
            expires = verdict.expires_at or row.expires_at
            changes.update(state=State.WAITING, planned_at=at, reason=why, expires_at=expires, digest=verdict.digest)
        case Never(outcome, reason, detail):
            changes.update(state=State.ENDED, outcome=outcome, reason=reason, detail=detail)
    return row._replace(**changes)


def _first(stub: Row | None, asked: Asked, moment: Moment) -> Row:
    event, request = asked.event, asked.request
    # What is wanted at once is due now, also where Kafka's clock runs a moment ahead of the database's.
    planned = (stub and stub.planned_at) or asked.planned_at or min(event.accepted_at, moment.now)
    expires = expiry(request, event.lane, planned) if request else default_expiry(event.lane, planned)
    return Row(
        id=asked.id,
        tenant=event.tenant,
        owner=event.owner,
        channel=asked.channel,
        lane=event.lane,
        user_id=request.user_id if request else event.user_id,
        group=asked.group,
        accepted_at=event.accepted_at,
        judged_at=moment.real,
        parent=asked.parent,
        steps=asked.steps,
        fingerprint=asked.fingerprint,
        collapse_key=asked.collapse_key,
        state=State.WAITING,
        edit=stub.edit if stub else 0,
        planned_at=planned,
        expires_at=expires,
        since=moment.real,
        body=asked.body,
        request=request,
        trace=event.trace,
    )


def group_end(row: Row, facts: Facts) -> GroupEnd | None:
    """The cancel that came before this member, which is not newer (P3.4). A part's request is a group too (P6.3)."""
    if not facts.groups:
        return None
    groups = (row.group, str(row.parent) if row.parent else None)
    met = (facts.group_end(row.tenant, group, row.owner, row.accepted_at) for group in groups)
    return next((end for end in met if end), None)


def printable(text: str) -> str:
    """What was sent to us, in a form that a column and a terminal can hold."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:2000]
