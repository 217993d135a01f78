"""What a timer is, which of two timers stays, and what one says when its time has come (P4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from contracts import events as e
from contracts.status import Lane
from services.scheduler.rules.refusals import refused

Kind = Literal["ripe", "due"]

BACKOFF: Final = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 15, 30))
"""How long a firing that was not acknowledged waits for the next one; the last one repeats."""
MOST_FAILURES: Final = 10_000

MILLISECOND: Final = timedelta(milliseconds=1)


class Timer(NamedTuple):
    """Something that has a time. `body` is the Retry it came with, as bytes; None where it stays as it is stored.

    `trace` is the one that its notification belongs to; empty: none. (A named tuple, in the order of its table's
    columns: a burst makes ten thousand of them, at a quarter of the cost.)
    """

    id: UUID
    tenant: str
    kind: Kind
    lane: Lane
    round: int
    try_: int
    planned_at: datetime
    fire_after: datetime
    ends: bool = False
    failures: int = 0
    trace: str = ""
    body: bytes | None = None

    @property
    def key(self) -> tuple[int, int]:
        """What never goes down (P4.1)."""
        return self.round, self.try_


@dataclass(frozen=True, slots=True)
class TakenBack:
    """The timer that waits for this round is not needed any more."""

    id: UUID
    round: int


Change = Timer | TakenBack


def change(event: e.Event | None, body: bytes | None) -> Change | None:
    """What an event asks of the timers; `body` is the event as it came. None: nothing."""
    match event:
        case e.Scheduled(handed=False, at=datetime() as at):
            return Timer(
                event.id,
                event.tenant,
                "ripe",
                event.lane,
                event.round,
                0,
                planned_at=at,
                fire_after=not_before(at),
                trace=event.trace or "",
            )
        case e.Retry(due=due, at=at):
            return Timer(
                event.id,
                event.tenant,
                "due",
                due.lane,
                due.round,
                due.try_,
                planned_at=at,
                fire_after=not_before(at),
                ends=due.end is not None,
                body=body,
                trace=event.trace or "",
            )
        case e.TakeBack():
            return TakenBack(event.id, event.round)
        case _:
            return None


def not_before(planned: datetime) -> datetime:
    """The planned instant, rounded up to whole milliseconds: rounded down would be early."""
    return planned + (-timedelta(microseconds=planned.microsecond) % MILLISECOND)


def after(there: Timer | None, changes: Sequence[Change]) -> Timer | None:
    """What is left of the timer that is there once all the changes of one id are made, in their order."""
    for one in changes:
        there = armed(there, one) if isinstance(one, Timer) else taken_back(there, one)
    return there


def armed(there: Timer | None, new: Timer) -> Timer:
    """P4.1: an older one is ignored, an equal one re-arms. P4.3: with an `end` among them the two become one."""
    if there is None:
        return new
    if there.ends or new.ends:
        return _merged(there, new)
    return new if new.key >= there.key else there


def _merged(there: Timer, new: Timer) -> Timer:
    """The `end` stays, with the higher key, so that nothing of before comes back, and the earlier time."""
    said = there if there.ends else new
    first = min(there, new, key=lambda timer: timer.fire_after)
    round_, try_ = max(there.key, new.key)
    fire_after, planned_at = first.fire_after, first.planned_at
    return said._replace(round=round_, try_=try_, fire_after=fire_after, planned_at=planned_at, failures=0)


def taken_back(there: Timer | None, what: TakenBack) -> Timer | None:
    """Only one that waits can be taken back, and none of a later round; nothing depends on it."""
    if there is None or (there.kind == "ripe" and there.round <= what.round):
        return None
    return there


def pause(failures: int) -> timedelta:
    """How long a timer waits after so many firings in a row (at least one) that were not acknowledged."""
    return BACKOFF[min(failures, len(BACKOFF)) - 1]


def failed_again(timer: Timer) -> Timer:
    """The timer after one more firing that was not acknowledged; when it fires is for `pause` and the clock to say."""
    return timer._replace(failures=min(timer.failures + 1, MOST_FAILURES))


def said(timer: Timer) -> e.Ripe | e.Due:
    """What the timer says when its time has come."""
    if timer.kind == "ripe":
        trace = timer.trace or None
        return e.Ripe(id=timer.id, tenant=timer.tenant, round=timer.round, lane=timer.lane, trace=trace)
    return _retry(timer).due


def ended(timer: Timer, why: Exception) -> e.Failed | None:
    """The end of a due that Kafka refuses for what it is. None for a ripe, which is too small to be refused."""
    if timer.kind == "ripe":
        return None
    retry = _retry(timer)
    # P5.2: after an unknown hand-over there is no other end than these words.
    words = {"reason": "perhaps_sent"} if retry.unknown else {}
    return refused(
        retry,
        why,
        **words,
        try_=retry.due.try_,
        attempt=retry.attempt,
        unknown=retry.unknown,
        provider=retry.provider,
    )


def _retry(timer: Timer) -> e.Retry:
    if timer.body is None:
        raise ValueError(f"the timer of {timer.id} has lost its body")
    return e.Retry.model_validate_json(timer.body)
