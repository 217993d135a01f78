"""What the claims of a notification say about what to do with its `due` (P5). Pure: no I/O, no clock, no dice."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple
from uuid import UUID

from contracts.events import Due
from contracts.status import FINAL, TAKEN, End, Status
from contracts.suppression import SUPPRESSED
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Refused, Unavailable, Unknown
from kit.retry import PATIENT, Over, RetryPolicy, next_attempt

PERHAPS_SENT: Final = "perhaps_sent"
EXPIRED: Final = "expired"
UNKNOWN_OUTCOME: Final = "unknown_outcome"
IN_FLIGHT: Final = "in_flight"
"""As a reason to hold: another sender has it in hand."""
SENDER_GONE: Final = Unknown(UNKNOWN_OUTCOME, "its sender did not come back")


class Result(StrEnum):
    """What became of one hand-over, as a claim keeps it; final ones have the name of the status."""

    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    RETRY = "retry"
    UNKNOWN = "unknown"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    __hash__ = str.__hash__  # an enum's own is written in Python

    @property
    def rank(self) -> int:
        """As of the status; only of those that have one."""
        return Status(self.value).rank

    @property
    def is_taken(self) -> bool:
        """A provider has the message."""
        return self in TAKEN_RESULTS

    @property
    def is_final(self) -> bool:
        """Nothing more is done for this notification."""
        return self in FINAL_RESULTS


TAKEN_RESULTS: Final = frozenset(result for result in Result if result.value in TAKEN)
FINAL_RESULTS: Final = frozenset(result for result in Result if result.value in FINAL)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a lane of a channel goes on after a failure, and after an outcome that nobody knows (P5.2)."""

    retry: RetryPolicy
    on_unknown: Literal["resend", "fail"] = "resend"
    patient: RetryPolicy = PATIENT

    @property
    def at_once(self) -> RetryPolicy:
        """The same without waiting."""
        return replace(self.retry, delays=(0.0,))


class Conclusion(NamedTuple):
    """What is written under a claim once, and what every event about it is made from.

    `at` is the T of a retry, or the instant of an acceptance. `unknown` counts the hand-overs up to and with this one
    of which nobody knows the outcome; `hand_overs` is 1 if this claim's was one. `suppress`: why nothing shall be
    sent to this address any more.
    """

    result: Result
    at: datetime | None = None
    unknown: int = 0
    hand_overs: int = 0
    reason: str | None = None
    detail: str | None = None
    provider_id: str | None = None
    segments: int | None = None
    encoding: str | None = None
    suppress: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One row as it was read: `live` and `lease_left` (seconds) by the database's clock at that moment.

    `held_until` is the lease's end as planned instants count it, by tocsin.clock().
    """

    try_: int
    token: UUID | None
    live: bool
    lease_left: float
    held_until: datetime
    made_at: datetime
    provider: str | None = None
    unknown: int = 0
    hand_overs: int = 1
    conclusion: Conclusion | None = None


class Attempt(NamedTuple):
    """A hand-over that is about to be made: its try, which one it is, and how many before it are unknown."""

    try_: int
    number: int
    unknown: int
    first_at: datetime
    provider: str | None = None


# ------------------------------------------------------------------------------------------------------ what to do


@dataclass(frozen=True, slots=True)
class Say:
    """This claim's conclusion again."""

    claim: Claim
    conclusion: Conclusion


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody's hand-over is under way: come back when its lease is over."""

    until: datetime


@dataclass(frozen=True, slots=True)
class MarkUnknown:
    """Its lease is over, and it has no result: write this one, unless somebody was quicker; then look again."""

    claim: Claim
    conclusion: Conclusion


@dataclass(frozen=True, slots=True)
class Unclaim:
    """Our own claim outlived its lease before anything began: take it away and look again."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """Claim this attempt; `lease_left`: it is ours already, only the commit's acknowledgement was lost."""

    attempt: Attempt
    lease_left: float | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """A final claim, without a hand-over."""

    try_: int
    conclusion: Conclusion


Decision = Say | Hold | MarkUnknown | Unclaim | HandOver | Finish


@dataclass(frozen=True, slots=True)
class Past:
    """All claims of a notification, in the order of their tries, and what they come to."""

    claims: tuple[Claim, ...]
    unknown: int
    attempts: int

    @classmethod
    def of(cls, claims: Sequence[Claim]) -> "Past":
        """Attempts are hand-overs counted here, never a number in a message (P5.3)."""
        ordered = tuple(sorted(claims, key=lambda claim: claim.try_)) if len(claims) > 1 else tuple(claims)
        unknown = max((c.unknown for c in ordered if c.hand_overs), default=0)
        return cls(ordered, unknown, sum(c.hand_overs for c in ordered))

    @property
    def final(self) -> Say | None:
        """What a provider took comes before every other end."""
        said = [
            Say(claim, claim.conclusion)
            for claim in self.claims
            if claim.conclusion and claim.conclusion.result.is_final
        ]
        return next((say for say in said if say.conclusion.result.is_taken), said[-1] if said else None)

    @property
    def open(self) -> Claim | None:
        """Where nobody has said yet what became of it; a next claim is never made before that."""
        return next((claim for claim in self.claims if claim.conclusion is None), None)

    @property
    def failed_by(self) -> frozenset[str]:
        """The providers that failed this notification by their own fault: another one may do better (P5.3)."""
        return frozenset(
            claim.provider
            for claim in self.claims
            if claim.provider and claim.conclusion and claim.conclusion.result is Result.RETRY
            if claim.conclusion.reason == PROVIDER_UNAVAILABLE
        )

    def instead_of(self, try_: int, provider: str | None) -> str | None:
        """Who had it before this try, if that was another provider."""
        if not self.claims:
            return None
        before = [claim.provider for claim in self.claims if claim.try_ < try_ and claim.hand_overs and claim.provider]
        return before[-1] if before and provider and before[-1] != provider else None

    @property
    def next_try(self) -> int:
        return self.claims[-1].try_ + 1 if self.claims else 1

    def first_at(self, due: Due, now: datetime) -> datetime:
        """When the first attempt was made; a repeat of the first `due` does not know it, the claims do."""
        return due.first_at or min((claim.made_at for claim in self.claims), default=now)


NO_PAST: Final = Past.of(())


def decide(
    due: Due, past: Past, *, now: datetime, token: UUID, policy: Policy, draw: float, stopped: str | None = None
) -> Decision:
    """P5.1, P5.8: what to do with `due`, given all claims of its notification.

    `now` is tocsin.clock()'s, `token` this delivery's own, `draw` (0 <= draw < 1) the luck of a retry's delay.
    `stopped`: why nothing is sent to this address any more, for people.
    """
    if final := past.final:
        return final
    if claim := past.open:
        return _open(due, past, claim, now, token, policy, draw)
    if due.end:
        return Finish(past.next_try, ended(due.end, due.end_reason, past.unknown))
    if past.claims and due.try_ <= (highest := past.claims[-1]).try_:
        assert highest.conclusion is not None
        return Say(highest, highest.conclusion)
    if now >= due.expires_at:
        return Finish(due.try_, expired(past.unknown))
    if stopped is not None:
        return Finish(due.try_, suppressed(stopped, past.unknown))
    return HandOver(_attempt(due, past, now))


def first_attempt(due: Due, now: datetime) -> Attempt:
    """What `decide` comes to at `now`, before its expiry, where there is no claim yet."""
    return _attempt(due, NO_PAST, now)


def _open(due: Due, past: Past, claim: Claim, now: datetime, token: UUID, policy: Policy, draw: float) -> Decision:
    attempt = Attempt(claim.try_, past.attempts, claim.unknown, past.first_at(due, now), claim.provider)
    if claim.token == token:
        return HandOver(attempt, claim.lease_left) if claim.live else Unclaim()
    if claim.live:
        return Hold(claim.held_until)
    return MarkUnknown(claim, what_became(SENDER_GONE, attempt, due, policy, now=now, draw=draw))


def _attempt(due: Due, past: Past, now: datetime) -> Attempt:
    """After an unknown hand-over the provider stays the same: another one would not notice the copy (P5.2)."""
    same = past.claims[-1].provider if past.unknown else None
    return Attempt(due.try_, past.attempts + 1, past.unknown, past.first_at(due, now), same)


# ---------------------------------------------------------------------------------------------- what became of it


def what_became(
    outcome: Accepted | Refused | Unavailable | Unknown,
    attempt: Attempt,
    due: Due,
    policy: Policy,
    *,
    now: datetime,
    draw: float,
    elsewhere: bool = False,
) -> Conclusion:
    """P5.2, P5.3: what a provider's word means for the notification. `elsewhere`: another provider gets it at once."""
    match outcome:
        case Accepted():
            return Conclusion(
                Result.SENT,
                at=now,
                unknown=attempt.unknown,
                hand_overs=1,
                detail=outcome.detail,
                provider_id=outcome.provider_id,
                segments=outcome.segments,
                encoding=outcome.encoding,
            )
        case Refused():
            return failed(outcome.reason, outcome.detail, attempt.unknown)._replace(suppress=outcome.suppress)
        case Unknown():
            if policy.on_unknown == "fail":
                return failed(outcome.reason, outcome.detail, attempt.unknown + 1)
            return _again(Result.UNKNOWN, outcome, attempt, attempt.unknown + 1, due, policy.retry, now, draw)
        case Unavailable() if elsewhere:
            return _again(Result.RETRY, replace(outcome, retry_after=0.0), attempt, 0, due, policy.at_once, now, draw)
        case Unavailable(patient=patient):
            retry = policy.patient if patient else policy.retry
            return _again(Result.RETRY, outcome, attempt, attempt.unknown, due, retry, now, draw)


def _again(
    result: Result,
    outcome: Unavailable | Unknown,
    attempt: Attempt,
    unknown: int,
    due: Due,
    policy: RetryPolicy,
    now: datetime,
    draw: float,
) -> Conclusion:
    at = next_attempt(
        policy,
        attempt.number,
        now=now,
        random=draw,
        first_at=attempt.first_at,
        expires_at=due.expires_at,
        retry_after=outcome.retry_after if isinstance(outcome, Unavailable) else 0.0,
        windows=due.windows,
    )
    match at:
        case Over.EXPIRED if not unknown:
            return Conclusion(Result.EXPIRED, hand_overs=1, reason=EXPIRED, detail=outcome.detail)
        case Over():
            return failed(outcome.reason, outcome.detail, unknown)
        case _:
            return Conclusion(result, at, unknown, hand_overs=1, reason=outcome.reason, detail=outcome.detail)


def failed(reason: str, detail: str | None, unknown: int) -> Conclusion:
    """After an unknown hand-over nobody may say that it was not sent (P5.2)."""
    return Conclusion(
        Result.FAILED, unknown=unknown, hand_overs=1, reason=PERHAPS_SENT if unknown else reason, detail=detail
    )


def expired(unknown: int) -> Conclusion:
    """Its time was over before this hand-over."""
    if unknown:
        return Conclusion(Result.FAILED, unknown=unknown, reason=PERHAPS_SENT, detail="its time was over")
    return Conclusion(Result.EXPIRED, reason=EXPIRED)


def suppressed(stopped: str, unknown: int) -> Conclusion:
    """P5.7: its address was suppressed while it waited for this attempt."""
    if unknown:
        return Conclusion(Result.FAILED, unknown=unknown, reason=PERHAPS_SENT, detail=f"{SUPPRESSED}: {stopped}")
    return Conclusion(Result.CANCELLED, reason=SUPPRESSED, detail=stopped)


def ended(end: End, why: str | None, unknown: int) -> Conclusion:
    """P5.8: ended by request; after an unknown hand-over, `perhaps_sent` whatever was asked for."""
    if unknown:
        return Conclusion(Result.FAILED, unknown=unknown, reason=PERHAPS_SENT, detail=why or end.value)
    result = Result.EXPIRED if end.outcome is Status.EXPIRED else Result.CANCELLED
    return Conclusion(result, reason=end.value, detail=why if why != end.value else None)
