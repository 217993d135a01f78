"""Notifications of a category, gathered per person and window into one: a digest (P3.8)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from contracts.events import Event, named
from contracts.identity import child_id, fingerprint, object_id
from contracts.request import SMS_CHARACTERS, NotificationRequest
from contracts.status import Channel, End, Lane
from kit.hours import next_time
from services.intake.rules.ending import closed, end
from services.intake.rules.facts import DigestRule, Facts, default_expiry
from services.intake.rules.row import Moment, Row, State, Step
from services.intake.rules.saying import failed, handed, say, take_back

OWNER: Final = "source:tocsin.digest"
"""Who asks for a digest: itself it is gathered no further."""
MERGED: Final = "merged"
SHOWN: Final = 50
"""Members whose text stands in a digest; of the others it tells the number."""
LONGEST: Final = 500
"""Characters of each."""
TEXT: Final = SHOWN * 2 * LONGEST
"""Characters of all, where the channel has no limit of its own."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DigestWindow:
    """Until when is gathered, and what it becomes."""

    end: datetime
    id: UUID


def digest_window(row: Row, facts: Facts, moment: Moment) -> DigestWindow | None:
    """The window in which `row` is gathered; None: it goes by itself.

    So do what is urgent, what escalates or carries files, and what would be too old at the end.
    """
    request = row.wanted()
    how = facts.policy.digests.get(request.category or "")
    alone = row.lane is Lane.URGENT or request.escalate or request.attachments or row.owner == OWNER
    if how is None or row.user_id is None or row.channel is not how.channel or alone:
        return None
    person = facts.people.get((row.tenant, row.user_id))
    over = _end(how, (person and person.time_zone) or facts.policy.time_zone, moment.now)
    if request.expires_at is not None and row.expires_at is not None and row.expires_at <= over:
        return None
    return DigestWindow(over, object_id(row.tenant, "digest", f"{row.user_id}/{request.category}/{over.isoformat()}"))


def is_to_be_made(made: Row | None) -> bool:
    """Nobody has made it yet; it may have been cancelled already."""
    return made is None or made.is_stub


def is_member(row: Row, digest: UUID, moment: Moment) -> bool:
    """It waits for this digest, and the window is over."""
    return row.digest == digest and row.state is State.WAITING and (row.planned_at or moment.now) <= moment.now


def too_old(row: Row, facts: Facts, moment: Moment) -> Step | None:
    """The end of a member that came to the window's end too late."""
    expired = row.expires_at is not None and row.expires_at <= moment.now
    return end(row, End.EXPIRED, None, facts, moment) if expired else None


def merged(row: Row, digest: UUID, moment: Moment) -> Step:
    """The end of a member: what it says is said by the digest."""
    ended = closed(row, End.CANCELLED, MERGED, moment)._replace(detail=f"into {digest}", digest=digest)
    return Step(ended, (failed(ended), take_back(row)))


def another(window: UUID, first: Row) -> UUID:
    """The digest of members that were too many, or came too late, for the one of this window."""
    return child_id(window, f"digest/{first.id}")


def digests_of(members: Sequence[Row], first: Row, digest: UUID, facts: Facts) -> Iterator[Row]:
    """The one notification that stands for these, not judged yet: by its template where it is there, then without.

    `first` made it, and says it again when repeated; the place under a cap that it waited for is the digest's. It
    belongs to the trace of the oldest that has one.
    """
    how = facts.policy.digests.get(first.wanted().category or "")
    if how and how.template and (first.tenant, how.template) in facts.templates:
        yield _digest_of(members, first, digest, how.template)
    yield _digest_of(members, first, digest, None)


def _digest_of(members: Sequence[Row], first: Row, digest: UUID, template: str | None) -> Row:
    request = _request(members, first, template)
    body = request.model_dump_json(exclude_unset=True).encode()
    planned = first.planned_at or first.since
    return Row(
        id=digest,
        tenant=first.tenant,
        owner=OWNER,
        channel=first.channel,
        lane=first.lane,
        user_id=first.user_id,
        group=None,
        accepted_at=planned,
        judged_at=first.since,
        state=State.WAITING,
        since=first.since,
        parent=first.id,
        fingerprint=fingerprint(body),
        planned_at=planned,
        reason=first.reason,
        expires_at=default_expiry(first.lane, planned),
        trace=next((row.trace for row in members if row.trace), None),
        body=body,
        request=request,
    )


def say_digest(row: Row, facts: Facts) -> tuple[Event, ...]:
    """What the row says; handed over, also to the gateway, which has heard of no request for it."""
    news = (handed(row),) if row.state is State.HANDED else ()
    return (*say(row, facts), *news)


def _request(members: Sequence[Row], first: Row, template: str | None) -> NotificationRequest:
    category = first.wanted().category or ""
    items = [_item(row) for row in members[:SHOWN]]
    fields: dict[str, Any] = {
        "channel": first.channel,
        "user_id": first.user_id,
        "category": category,
        "kind": "digest",
        "subject": _subject(members, category),
        "body": _text(items, len(members), SMS_CHARACTERS if first.channel is Channel.SMS else TEXT),
        "data": {"category": category, "count": len(members), "items": items},
    }
    if template:
        fields["template"] = template
    return NotificationRequest.model_construct(**fields)


def _item(row: Row) -> dict[str, Any]:
    request = row.wanted()
    told = {
        "subject": request.subject,
        "body": (request.body or "")[:LONGEST],
        "kind": request.kind,
        "data": request.data,
    }
    return {"id": str(row.id), "at": named(row.accepted_at)} | {name: value for name, value in told.items() if value}


def _subject(members: Sequence[Row], category: str) -> str:
    own = members[0].wanted().subject
    return own if len(members) == 1 and own else f"{category}: {len(members)}"


def _text(items: Sequence[dict[str, Any]], count: int, most: int) -> str:
    """As many members as fit, and the number of those that are left out; the first is cut rather than left out."""
    parts = ["\n".join(item[name] for name in ("subject", "body") if item.get(name)) for item in items]
    for shown in range(len(parts), 0, -1):
        text = _joined(parts[:shown], count - shown)
        if len(text) <= most:
            return text
    cut = len(text) - most + 1
    return _joined([parts[0][:-cut] + "…"], count - 1)


def _joined(parts: Sequence[str], left_out: int) -> str:
    more = [f"(+ {left_out})"] if left_out else []
    return "\n\n".join([*(part for part in parts if part), *more])


def _end(how: DigestRule, time_zone: str, now: datetime) -> datetime:
    """The end of the window that holds `now`; windows of a length follow one another from 1970 on."""
    if how.at is not None:
        return next_time(now, how.at, time_zone)
    every = how.every or timedelta(hours=1)
    return EPOCH + ((now - EPOCH) // every + 1) * every
