"""What is kept: a record of Kafka, and the rows of each service's schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypedDict

from tests.model.instance import Lock
from tests.model.parameters import FINAL

Record = TypedDict(
    "Record",
    {
        "id": int,  # of the notification, or GROUP or DAY
        "type": str,  # what happened, or what is asked for
        "ts": float,  # LogAppendTime, once Kafka has it
        "body": str | None,
        "address": int | None,  # by the directory; a number stands for it
        "at": int,  # the planned instant; of a retry the T of P5.3
        "expires": int,
        "urgent": bool,
        "inapp": bool,
        "bad": bool,  # intake rejects it
        "group": bool,  # a member of the one group
        "accepted_at": float,  # the outbox row's time (P1); without it: the LogAppendTime
        "round": int,
        "try": int,
        "edit": int,
        "again": bool,  # said again by the gateway's sweep (P6.1)
        "handed": bool,  # a `scheduled` that only answers
        "lane": str,
        "end": str | None,  # a bodiless `due` that asks a sender for an end (P3.4)
        "said": int,  # when intake said this `due`
        "swept": bool,  # said by intake's sweep, or because of the gateway's
        "unknown": int,  # hand-overs so far of which nobody knows the outcome
        "due": "Record",  # what a retry brings back
        "through": float,  # up to when a group's cancel reaches
    },
    total=False,
)
Said = tuple[str, Record]
"""A topic, and what is to be published there."""


def requested(record: Record) -> str:
    """The lane of a request, a command or a `ripe` (P1): a cancel is always urgent."""
    return "requested_urgent" if record.get("urgent") or record["type"] in ("cancel", "cancel_group") else "requested"


@dataclass(slots=True)
class IntakeRow:
    """Waits, is handed, or is over when it has an outcome; `last` is the event that said it."""

    id: int
    body: str | None
    address: int
    at: int
    expires: int
    inapp: bool
    urgent: bool
    group: bool
    accepted_at: float
    state: str
    said_at: int  # when it was last said, or until when a retry waits: the sweep's `since`
    opened_at: int  # when it began to wait or was handed
    edit: int = 0
    round: int = 0
    outcome: str | None = None
    last: Record | None = None
    end: str | None = None
    sweeps: int = 0
    swept_next: int = 0

    @property
    def is_waiting(self) -> bool:
        return self.state == "waiting"

    def ends(self, outcome: str) -> None:
        self.outcome, self.last = outcome, {"id": self.id, "type": outcome}


class Remembered(NamedTuple):
    """What was asked of an id before its request came (P3.4)."""

    cancelled: bool = False
    at: int | None = None
    edit: int = 0


@dataclass(slots=True)
class Intake:
    """Its tables; `cancelled_through` is the row of the one group."""

    rows: dict[int, IntakeRow] = field(default_factory=dict)
    remembered: dict[int, Remembered] = field(default_factory=dict)
    cancelled_through: float | None = None


@dataclass(slots=True)
class Timer:
    """One per notification (P4.1)."""

    key: tuple[int, int]  # round, try
    at: int
    record: Record
    lock: Lock | None = None
    failures: int = 0

    @property
    def is_locked(self) -> bool:
        return self.lock is not None and self.lock.alive


@dataclass(slots=True)
class Claim:
    """One try of a notification (P5.1); open as long as it has no result."""

    id: int
    try_: int
    token: int | None
    lease: int  # when it is over
    provider: str
    result: str | None = None
    unknown: int = 0  # hand-overs of unknown fate up to this one
    at: int = 0  # of a retry: T
    hand_overs: int = 0  # 1 if this claim's was one
    late: bool = False  # an acceptance that is not announced yet (P5.6)
    blamed: bool = False  # failed by the provider's own fault
    begun: bool = False  # for the judges: the hand-over has begun
    recorded: bool = False  # for the judges: its own sender wrote the acceptance down


@dataclass(slots=True, eq=False)
class OutboxRow:
    """What a client was answered 202 for (P6.1)."""

    record: Record
    published_at: int
    published: bool = False
    answered: bool = False
    sweeps: int = 0
    swept_next: int = 0
    swept_in_peace: int = 0  # for the judges: after the faults stopped


class Entry(NamedTuple):
    """A line of the timeline, unique (P2)."""

    event: str
    try_: int = 0
    round: int | None = None
    edit: int | None = None


@dataclass(slots=True, eq=False)
class ReadRow:
    """What GET shows."""

    expires: int
    status: str = "accepted"
    timeline: list[Entry] = field(default_factory=list)
    unknown: int = 0
    asks: bool = False  # at once, since a topic was made anew
    asked: int = 0
    asks_next: int = 0

    @property
    def events(self) -> set[str]:
        return {entry.event for entry in self.timeline}

    @property
    def is_final(self) -> bool:
        return self.status in FINAL


@dataclass(slots=True)
class Gateway:
    """Its tables; `cancelled`: of which notifications somebody asked it for a cancel."""

    outbox: list[OutboxRow] = field(default_factory=list)
    shown: dict[int, ReadRow] = field(default_factory=dict)
    inbox: dict[int, str] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)

    def commands(self, id: int) -> list[OutboxRow]:
        return [row for row in self.outbox if row.record["id"] == id]
