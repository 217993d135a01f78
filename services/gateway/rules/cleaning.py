"""How long what has ended stays, and what of it is archived."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json, to_json

from contracts.status import Status
from services.gateway.rules.search import MARKS, STATUS, keys_of_fields, plain
from services.gateway.rules.stored import Stored
from services.gateway.rules.timeline import Entry
from services.gateway.rules.views import fields_of

FAILED: Final = (Status.REJECTED, Status.FAILED, Status.UNDELIVERED)
"""What `delete_failed_after_days` is about; every other end counts as sent."""

CLAIM_DAYS: Final = 30
"""An entry of the inbox is the claim on its notification (P6.2): as long as any claim it stays in any case."""
REMEMBERED: Final = timedelta(days=35)
"""So long after its end the id of what was deleted is known. A day less than intake's (P8): between the two, what comes
again is shown again; the other way round it would be sent and not shown."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Until when what has ended before is over: what was sent, what failed, and what a bell has shown."""

    sent: datetime
    failed: datetime
    shown: datetime

    @classmethod
    def at(cls, now: datetime, sent_days: int, failed_days: int) -> "Kept":
        shown = max(sent_days, CLAIM_DAYS)
        return cls(*(now - timedelta(days=days) for days in (sent_days, failed_days, shown)))

    @property
    def newest(self) -> datetime:
        """Nothing that was accepted after this is over."""
        return max(self.sent, self.failed)


@dataclass(frozen=True, slots=True)
class Over:
    """One that is over: as it is stored, when it ended, and the state of the row by which a change would show."""

    row: Stored
    ended_at: datetime
    version: str


def whole(overs: Sequence[Over], heads: Mapping[UUID, UUID]) -> list[Over]:
    """Those of these of whose families nobody is missing here. `heads`: by place, the family's head. One of several
    channels never goes alone: the status of what asked for them is made of all, and a cancel of it is about all (P6.3).
    """
    missing = heads.keys() - {one.row.place for one in overs}
    broken = {heads[place] for place in missing}
    return [one for one in overs if heads[one.row.place] not in broken]


def record(over: Over, lines: Sequence[Entry], archived_at: datetime) -> dict[str, Any]:
    """What the archive keeps of it: all that could be seen of it, and who asked for it."""
    row = over.row
    asked = fields_of(row.request) if row.request else {}
    told = {name: asked.get(name) for name in ASKED} | {
        "to": plain(asked.get("to")),
        "tenant": row.tenant,
        "id": row.id,
        "status": Status.ACCEPTED if row.channels else _STATUS[row.rank],
        "owner": row.owner,
        "user_id": row.user_id,
        "channel": row.channel,
        "channels": row.channels or None,
        "lane": row.lane,
        "group": row.group,
        "reason": row.reason,
        "detail": row.detail,
        "created_at": row.accepted_at,
        "send_at": row.planned_at,
        "expires_at": row.expires_at,
        "sent_at": row.sent_at,
        "ended_at": over.ended_at,
        "attempts": row.attempts,
        "copies_possible": row.unknown or None,
        "provider": row.provider,
        "sms": row.sms,
        "parent": row.parent,
        "replay_of": row.replay_of,
        "trace": row.trace,
        "timeline": [{name: value for name, value in line._asdict().items() if value is not None} for line in lines],
        "archived_at": archived_at,
    }
    plainly: dict[str, Any] = from_json(to_json({name: value for name, value in told.items() if value is not None}))
    return plainly


ASKED: Final = (
    *("subject", "body", "html", "template", "data", "locale", "kind", "category", "collapse_key"),
    *("reply_to", "attachments", "metadata"),
)
_STATUS: Final = tuple(Status)


def finds(rows: Iterable[Stored]) -> list[tuple[str, str, str, UUID]]:
    """All (tenant, key, value, place) under which these may be found."""
    return [
        (row.tenant, key, value, row.place)
        for row in rows
        for key, value in (*_words(row), *((STATUS, mark) for mark in MARKS.values()))
    ]


def _words(row: Stored) -> Iterable[tuple[str, str]]:
    return keys_of_fields(fields_of(row.request)) if row.request else ()
