"""Cancel, move, ripe and again: what may still be changed, and what may only be said again (P3.2-P3.4)."""

from contracts import events as e
from contracts import local_time
from contracts.status import End, Lane, Status
from services.intake.rules.accepting import settled
from services.intake.rules.ending import end
from services.intake.rules.facts import Facts
from services.intake.rules.row import Moment, Row, State, Step
from services.intake.rules.saying import failed, say
from services.intake.rules.verdict import Later, Verdict, expiry_after_move, held, judge


def cancel(row: Row | None, event: e.Cancel, facts: Facts, moment: Moment) -> Step:
    """P3.4. An unknown id is remembered as cancelled, and answered at once; another tenant's is nobody's."""
    if event.id is None or (row and row.tenant != event.tenant):
        return Step(row)
    if row is None or row.state is State.EXPECTED:
        return _cancelled_unseen(row or _stub(event, moment), event)
    if row.end is not None and event.again and row.state is State.HANDED:
        return Step(row, say(row, facts, again=True))
    return end(row, End.CANCELLED, event.reason, facts, moment)


def move(row: Row | None, event: e.Move, facts: Facts, moment: Moment) -> Step:
    """P3.3, P1: only a higher number counts; it is refused when the row no longer waits, or could not be sent then."""
    if row and row.tenant != event.tenant:
        return Step(row)
    fresh = row is None or event.edit > row.edit
    if row is None or row.state is State.EXPECTED:
        return Step(_moved_unseen(row or _stub(event, moment), event) if fresh else row)
    if not fresh:
        return Step(row, say(row, facts, event.again))
    if row.state is State.WAITING and _can_wait_until(row, event):
        moved = _moved(row, event, moment)
        return Step(moved, say(moved, facts))
    outcome = say(row, facts) if row.state is State.ENDED else ()
    return Step(row, (e.MoveRefused(**row.common(), edit=event.edit), *outcome))


def ripe(row: Row | None, event: e.Ripe, facts: Facts, moment: Moment) -> Step:
    """P3.2: re-opens only what waits at that round; an earlier one is a repeat. One of an unknown id is nothing."""
    if row is None:
        return Step(None)
    if row.state is not State.WAITING or event.round != row.round:
        return Step(row, say(row, facts))
    return _reopened(row, judge(row, facts, moment), facts, moment)


def wait_with(row: Row, digest: Row, facts: Facts, moment: Moment) -> Step:
    """P3.8: a member waits as long as its digest would have to, and is still one of its own meanwhile."""
    until = digest.planned_at or moment.now
    return _reopened(row, held(row, until, digest.reason, digest=row.digest), facts, moment)


def again(row: Row | None, facts: Facts) -> Step:
    """P6.1: what the gateway never heard."""
    return Step(row, say(row, facts, again=True) if row else ())


def _reopened(row: Row, verdict: Verdict, facts: Facts, moment: Moment) -> Step:
    """What waited, with its new verdict; where that is a later instant, it is a round of its own."""
    if isinstance(verdict, Later):
        row = row._replace(round=row.round + 1)
    return settled(row, verdict, facts, moment)


def _moved(row: Row, event: e.Move, moment: Moment) -> Row:
    return row._replace(
        round=row.round + 1,
        edit=event.edit,
        planned_at=event.at,
        expires_at=expiry_after_move(row, event.at),
        reason=None,
        digest=None,
        since=moment.real,
        sweeps=0,
        rest_until=None,
    )


def _can_wait_until(row: Row, event: e.Move) -> bool:
    return event.at <= local_time.horizon(row.accepted_at) and event.at < expiry_after_move(row, event.at)


def _stub(event: e.Cancel | e.Move, moment: Moment) -> Row:
    """The memory of an edit that came before its request."""
    return Row(
        id=event.subject,
        tenant=event.tenant,
        owner="",
        channel=None,
        lane=Lane.NORMAL,
        user_id=None,
        group=None,
        accepted_at=event.accepted_at,
        judged_at=moment.real,
        state=State.EXPECTED,
        since=moment.real,
    )


def _cancelled_unseen(stub: Row, event: e.Cancel) -> Step:
    reason = event.reason or End.CANCELLED.value
    row = stub._replace(state=State.ENDED, outcome=Status.CANCELLED, reason=reason)
    return Step(row, (failed(row),))


def _moved_unseen(stub: Row, event: e.Move) -> Row:
    return stub._replace(edit=event.edit, planned_at=event.at)
