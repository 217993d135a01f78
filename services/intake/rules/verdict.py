"""Now, later or never: the one question that intake answers."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from contracts import local_time
from contracts.events import Content, named
from contracts.request import NotificationRequest
from contracts.status import Held, Lane, Status
from services.intake.rules.content import NotKnown, Unsendable, check, content_of, resolve
from services.intake.rules.digesting import digest_window
from services.intake.rules.facts import Facts, default_expiry
from services.intake.rules.holding import Unwanted, check_wanted, opening, room_for
from services.intake.rules.limits import Place
from services.intake.rules.row import Frozen, Moment, Row
from services.intake.rules.suppressing import met

UNKNOWN_PAUSE: Final = timedelta(seconds=2)
UNKNOWN_PATIENCE: Final = timedelta(seconds=60)
CHANNEL_OFF: Final = "channel: {0} is switched off; an admin can set notifications.{0}.enabled"
INTERNAL: Final = "internal"
MISTAKE: Final = "a mistake of ours ({0}), which is in our log: ask again when it is mended"
TOO_FAR: Final = "send_at: lies more than ten years ahead"


class Now(NamedTuple):
    """Due: with these inputs, which make this content. `place`: the one it takes, where recipients have limits."""

    frozen: Frozen
    content: Content
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Waits until `at`; `why` is None where that was asked for. Held, it lives from then on, in the place it takes."""

    at: datetime
    why: str | None = None
    expires_at: datetime | None = None
    place: Place | None = None
    digest: UUID | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """Ends here; `detail` names the field and the remedy."""

    outcome: Status
    reason: str
    detail: str | None = None


Verdict = Now | Later | Never


def judge(row: Row, facts: Facts, moment: Moment) -> Verdict:
    """The verdict on a row that is planned for `row.planned_at`. One on which a rule fails is answered, too (P7)."""
    try:
        return _judged(row, facts, moment)
    except Exception as error:  # a mistake of ours, or data nobody thought of: it concerns this row alone
        return Never(Status.REJECTED, INTERNAL, MISTAKE.format(type(error).__name__))


def _judged(row: Row, facts: Facts, moment: Moment) -> Verdict:
    planned = row.planned_at or row.accepted_at
    if row.channel in facts.policy.off:
        return Never(Status.REJECTED, "channel_disabled", CHANNEL_OFF.format(row.channel))
    if planned > local_time.horizon(row.accepted_at):
        return Never(Status.REJECTED, "invalid", TOO_FAR)
    if facts.catching_up:
        # As it was: a move, a cancel, a change of the directory that came since is still to be read (P9).
        return Later(planned, row.reason, digest=row.digest)
    if row.expires_at and row.expires_at <= max(moment.now, planned):
        return Never(Status.EXPIRED, "expired", "expires_at: passed before it could be sent")
    if planned > moment.now:
        return Later(planned)
    return _whether_due(row, facts, moment)


def _whether_due(row: Row, facts: Facts, moment: Moment) -> Verdict:
    try:
        frozen = resolve(row, facts)
        if found := met(row, frozen, facts.suppressed, facts.policy.time_zone):
            return Never(Status.REJECTED, *found)
        content = content_of(row, frozen, facts)
        check(row, content)
    except NotKnown as unknown:
        if is_certain(row, facts.directory_until):
            return Never(Status.REJECTED, unknown.reason, unknown.detail)
        return Later(moment.now + UNKNOWN_PAUSE, unknown.reason)
    except Unsendable as unsendable:
        return Never(Status.REJECTED, unsendable.reason, unsendable.detail)
    ready = Now(frozen, content)
    return _whether_now(row, ready, facts, moment) if facts.may_hold else ready


def _whether_now(row: Row, ready: Now, facts: Facts, moment: Moment) -> Verdict:
    """It could be sent: whether the recipient wants it, and now."""
    try:
        check_wanted(row, facts)
        if window := digest_window(row, facts, moment):
            return Later(window.end, Held.DIGEST, expiry_after_move(row, window.end), digest=window.id)
        found = opening(row, facts, moment)
    except Unwanted as unwanted:
        return Never(Status.REJECTED, unwanted.reason, unwanted.detail)
    room = room_for(row, found, facts, moment)
    if room.at > moment.now:
        return held(row, room.at, room.why, room.place)
    frozen = replace(ready.frozen, windows=found.windows) if found.windows else ready.frozen
    return Now(frozen, ready.content, room.place)


def held(row: Row, until: datetime, why: str | None, place: Place | None = None, digest: UUID | None = None) -> Verdict:
    """Later, not never; but nothing is kept for a time at which it would be too old (P3.7)."""
    expires = expiry_after_move(row, until)
    if expires <= until:
        return Never(Status.EXPIRED, "expired", f"expires_at: held until {named(until)} ({why})")
    return Later(until, why, expires, place, digest)


def is_certain(row: Row, directory_until: datetime | None) -> bool:
    """P3.6: the directory has been read past the request's time; or for so long after it was first judged that only a
    clock which runs ahead can have written that time.
    """
    if directory_until is None:
        return False
    return directory_until > row.accepted_at or directory_until > row.judged_at + UNKNOWN_PATIENCE


def expiry(request: NotificationRequest, lane: Lane, planned: datetime) -> datetime:
    """P3.7: an explicit one is absolute, the default counts from the latest planned instant."""
    explicit = request.expiry if request.expires_at else None
    return explicit or default_expiry(lane, planned)


def expiry_after_move(row: Row, planned: datetime) -> datetime:
    """The same, for a row that has one already."""
    if row.expires_at and row.wanted().expires_at is not None:
        return row.expires_at
    return default_expiry(row.lane, planned)
