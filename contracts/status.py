"""A status only ever rises: whatever order the events arrive in, the highest one seen is shown (P2)."""

from enum import StrEnum


class Status(StrEnum):
    """What a notification has come to; the order of the members is their rank."""

    ACCEPTED = "accepted"
    SCHEDULED = "scheduled"
    RETRYING = "retrying"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    FAILED = "failed"
    SENT = "sent"
    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"

    @property
    def rank(self) -> int:
        """0 for `accepted` up to 9 for `delivered`; stored as a number so that SQL can compare it."""
        return RANKS[self]

    @property
    def is_final(self) -> bool:
        """Nothing but a provider's later word changes it any more."""
        return self.rank >= RANKS[Status.CANCELLED]

    @property
    def is_taken(self) -> bool:
        """A provider (or the inbox) has the message."""
        return self.rank >= RANKS[Status.SENT]


RANKS: dict[Status, int] = {status: rank for rank, status in enumerate(Status)}

FINAL = frozenset(status for status in Status if status.is_final)
TAKEN = frozenset(status for status in Status if status.is_taken)


class Lane(StrEnum):
    """How urgent a notification is; every lane has topics and workers of its own."""

    URGENT = "urgent"
    NORMAL = "normal"
    BULK = "bulk"


class Held(StrEnum):
    """Why a notification waits although its time has come (P3.1)."""

    OPERATING_HOURS = "operating_hours"
    QUIET_HOURS = "quiet_hours"
    HOUR_LIMIT = "hour_limit"
    DAY_LIMIT = "day_limit"
    DIGEST = "digest"
    """It is gathered with others into one (P3.8)."""
    LIMITS = "limits"
    """So many wait for the same recipient that its place is found later."""


HOLDS: frozenset[str] = frozenset(Held)


class Channel(StrEnum):
    """The ways to reach a person."""

    EMAIL = "email"
    SMS = "sms"
    INAPP = "inapp"


class End(StrEnum):
    """Why the notifications that a sender already has are asked to end (P3.4)."""

    CANCELLED = "cancelled"
    EXPIRED = "expired"
    COLLAPSED = "collapsed"
    FORGOTTEN = "forgotten"

    @property
    def outcome(self) -> Status:
        """The status it leads to; the end itself is then the reason (P2)."""
        return Status.EXPIRED if self is End.EXPIRED else Status.CANCELLED
