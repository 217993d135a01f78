"""Whether a notification is shown in somebody's inbox: decided once, and said again ever after (P6.2, P5.8)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from contracts import events as e
from contracts.status import Status

PROVIDER = "inbox"


@dataclass(frozen=True, slots=True)
class Claim:
    """A row of the inbox: an entry that is shown, or (`outcome` is not sent) the end of one that never will be."""

    id: UUID
    outcome: Status
    reason: str | None
    at: datetime
    offset: int | None = None


def fold(dues: Iterable[e.Due]) -> list[e.Due]:
    """One `due` per notification, in the order they came; an `end` wins over what it came to stop."""
    first: dict[UUID, e.Due] = {}
    for due in dues:
        seen = first.get(due.id)
        if seen is None or (due.end and not seen.end):
            first[due.id] = due
    return list(first.values())


def decide(due: e.Due, now: datetime) -> tuple[Status, str | None]:
    """The outcome and its reason, for a notification that has no row yet."""
    if due.end is not None:
        return due.end.outcome, due.end_reason or due.end
    if due.expires_at <= now:
        return Status.EXPIRED, "expired"
    if due.user_id is None or due.content is None:
        return Status.FAILED, "nothing_to_show"
    return Status.SENT, None


def answer(due: e.Due, claim: Claim) -> e.Sent | e.Failed:
    """What the row says; the same event however often it is asked."""
    if claim.outcome is Status.SENT:
        shown = {"at": claim.at, "provider": PROVIDER, "try": 1, "offset": claim.offset}
        return e.Sent.model_validate(due.passed_on() | shown)
    common = due.passed_on() | {"outcome": claim.outcome, "reason": claim.reason or claim.outcome}
    return e.Failed.model_validate(common)


class Words(NamedTuple):
    """What an entry says."""

    title: str | None
    body: str | None
    data: dict[str, Any] | None

    def rewritten(self, said: Mapping[str, Any]) -> "Words":
        """The same with other words; what is not said stays as it is."""
        return self._replace(**said)

    def reads_as(self, other: "Words") -> bool:
        """Whether nobody could tell them apart. As JSON: to Python, 1 is true."""
        return json.dumps(self, sort_keys=True) == json.dumps(other, sort_keys=True)
