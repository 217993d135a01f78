"""Second step: the claims are read, what they say is done, and what may be handed over is claimed (P5.1)."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from contracts.events import Event
from contracts.status import Lane
from kit import logs
from kit.delivery import events, store
from kit.delivery.pipe.delivery import DatabaseClock, Delivery
from kit.delivery.rules import (
    Attempt,
    Finish,
    GiveBack,
    HandOver,
    Hold,
    MarkUnknown,
    Past,
    Policy,
    Result,
    Say,
    Verdict,
    decide,
)
from kit.delivery.store import Look, Wanted, Written
from kit.failpoints import failpoint
from kit.metrics import Metrics
from kit.postgres import Connection, Database, fate

AGAIN_SECONDS: Final = 0.5
TRIES: Final = 3
"""So often an error of unknown fate must repeat before a record is suspected (P7)."""
IN_FLIGHT: Final = "in_flight"

log = logs.get(__name__)


@dataclass(slots=True)
class Next:
    """Where deliveries go from here: each is a step of the pipe."""

    say: Callable[[Delivery, Event], None]
    carry: Callable[[list[Delivery]], None]
    wait: Callable[[Delivery], None]
    leave: Callable[[list[Delivery]], None]
    again: Callable[[list[Delivery]], None]
    later: Callable[[float, list[Delivery]], None]
    poison: Callable[[Delivery, Exception], None]


@dataclass(slots=True)
class Round:
    """What one look at the claims of a batch decided. `left`: those for which it is not done yet."""

    left: set[Delivery]
    told: list[tuple[Delivery, Event]] = field(default_factory=list)
    held: list[Delivery] = field(default_factory=list)
    ours: list[Delivery] = field(default_factory=list)
    given_back: list[Delivery] = field(default_factory=list)
    unknown: list[tuple[Delivery, MarkUnknown]] = field(default_factory=list)
    final: list[tuple[Delivery, Finish]] = field(default_factory=list)
    wanted: list[tuple[Delivery, Attempt]] = field(default_factory=list)


class Claiming:
    """One round per batch: one look, then at most one statement of each kind; who lost to another looks again."""

    def __init__(
        self,
        database: Database,
        clock: DatabaseClock,
        policies: Callable[[Lane], Policy],
        lease: float,
        draw: Callable[[], float],
        metrics: Metrics,
        next_step: Next,
    ) -> None:
        """`lease` in seconds; `draw` gives the luck of delays."""
        self._database = database
        self._clock = clock
        self._policies = policies
        self._lease = lease
        self._draw = draw
        self._metrics = metrics
        self._next = next_step
        self._troubles = 0

    async def work(self, batch: list[Delivery]) -> None:
        """All of them go somewhere, or come again."""
        if gone := [one for one in batch if not one.ticket.wanted]:
            self._next.leave(gone)
        if here := [one for one in batch if one.ticket.wanted]:
            await self._rounded(here)

    async def _rounded(self, batch: list[Delivery]) -> None:
        round_ = Round(set(batch))
        try:
            async with self._database.connection() as connection:
                await self._look(connection, batch, round_)
                await self._act(connection, round_)
        except Exception as error:
            await self._trouble(error, [one for one in batch if one in round_.left])
        else:
            self._troubles = 0

    async def _trouble(self, error: Exception, batch: list[Delivery]) -> None:
        """The database away: later. A record that cannot be stored: by halves, until it is alone (P7)."""
        kind = fate(error)
        if kind == "other":
            log.error("claims_failed", exc_info=error)
            self._troubles += 1
            kind = "data" if self._troubles >= TRIES and await self._database.alive() else kind
        if kind != "data":
            self._next.later(AGAIN_SECONDS, batch)
        elif len(batch) == 1:
            self._next.poison(batch[0], error)
        else:
            for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                await self._rounded(half)

    # ------------------------------------------------------------------------------------------------------ the look

    async def _look(self, connection: Connection, batch: Iterable[Delivery], round_: Round) -> None:
        asked_at = self._clock.monotonic()
        look = await store.look(connection, {one.due.id for one in batch})
        self._clock.heard(look.now, asked_at)
        for one in batch:
            self._decide(one, look, asked_at, round_)

    def _decide(self, one: Delivery, look: Look, asked_at: float, round_: Round) -> None:
        due, past = one.due, Past.of(look.claims.get(one.due.id, ()))
        one.past = past
        policy = self._policies(due.lane)
        decision = decide(due, past, now=look.now, token=one.token, policy=policy, draw=self._draw())
        if one.perhaps_claimed and not isinstance(decision, HandOver):
            round_.given_back.append(one)
        match decision:
            case Say(claim, verdict):
                round_.told.append((one, events.again(verdict, claim, due, past, look.now)))
            case Hold(until):
                hold = events.hold(due, until, IN_FLIGHT, attempt=past.attempts, unknown=past.unknown)
                round_.told.append((one, hold))
            case MarkUnknown():
                round_.unknown.append((one, decision))
            case Finish():
                round_.final.append((one, decision))
            case GiveBack():
                one.perhaps_claimed = True
            case HandOver(attempt, None):
                self._want(one, attempt, round_)
            case HandOver(attempt, left):
                one.attempt, one.lease_ends = attempt, asked_at + (left or 0.0)
                round_.ours.append(one)

    def _want(self, one: Delivery, attempt: Attempt, round_: Round) -> None:
        """P5.4: the gate is asked before a claim is made; while it is only ajar, one passes."""
        before = sum(1 for other, _ in round_.wanted if other.outlet is one.outlet) if not one.outlet.gate.is_open else 0
        if before < one.outlet.gate.admits:
            round_.wanted.append((one, attempt))
        else:
            round_.held.append(one)

    # ------------------------------------------------------------------------------------------------------- the acts

    async def _act(self, connection: Connection, round_: Round) -> None:
        """In this order a delivery that turns away has given back what it perhaps claimed before it says so."""
        for step in (self._give_back, self._mark_unknown, self._finish, self._claim):
            await step(connection, round_)
        for one, event in round_.told:
            self._next.say(one, event)
        for one in round_.held:
            self._next.leave([one]) if one.perhaps_claimed else self._next.wait(one)
        self._next.carry(round_.ours)
        round_.left.clear()

    async def _give_back(self, connection: Connection, round_: Round) -> None:
        back = [one for one in round_.given_back]
        if back:
            await store.give_back(connection, [(one.due.id, one.token) for one in back])
