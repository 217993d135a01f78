"""Second step: the claims are read, what they say is done, and what may be handed over is claimed (P5.1)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from contracts.events import Event
from contracts.status import Lane
from contracts.suppression import told
from kit import logs
from kit.delivery import events
from kit.delivery.gate import LONGEST
from kit.delivery.pace.pace import refund
from kit.delivery.pipe import paying
from kit.delivery.pipe.delivery import DatabaseClock, Delivery
from kit.delivery.pipe.leaving import paced, unclaim
from kit.delivery.pipe.route import Route
from kit.delivery.rules import (
    IN_FLIGHT,
    NO_PAST,
    Attempt,
    Decision,
    Finish,
    HandOver,
    Hold,
    MarkUnknown,
    Past,
    Policy,
    Say,
    Unclaim,
    decide,
    first_attempt,
)
from kit.delivery.store import claims
from kit.delivery.store.claims import First, Wanted, Won
from kit.delivery.store.results import Written
from kit.delivery.store.suppressed import among
from kit.delivery.suppressed import name_for
from kit.failpoints import failpoint
from kit.metrics import Metrics
from kit.postgres import Connection, Database, fate

AGAIN_SECONDS: Final = 0.5
TRIES: Final = 3
"""So often an error of unknown fate must repeat before a record is suspected (P7)."""
STALE: Final = timedelta(minutes=1)
"""What was due so long ago may concern somebody who wants nothing any more by now (P5.7)."""
PROVIDER_GONE: Final = "provider_gone"
"""As a reason to hold: the settings name it no more, and only it may have the message (P5.2)."""

log = logs.get(__name__)


class Ways(Protocol):
    """Where deliveries go from here: each leads to another step of the pipe, or back to this one."""

    def say(self, delivery: Delivery, event: Event) -> None: ...
    def carry(self, deliveries: list[Delivery]) -> None: ...
    def wait(self, delivery: Delivery) -> None: ...
    def leave(self, deliveries: list[Delivery]) -> None: ...
    def again(self, deliveries: list[Delivery]) -> None: ...
    def later(self, seconds: float, deliveries: list[Delivery]) -> None: ...
    def poison(self, delivery: Delivery, error: Exception) -> None: ...


@dataclass(slots=True)
class Sorting:
    """What one look at the claims of a batch decided; `left` are those that have not gone on from here yet."""

    left: set[Delivery]
    told: list[tuple[Delivery, Event]] = field(default_factory=list)
    held: list[Delivery] = field(default_factory=list)
    ours: list[Delivery] = field(default_factory=list)
    looking_again: list[Delivery] = field(default_factory=list)
    unknown: list[tuple[Delivery, MarkUnknown]] = field(default_factory=list)
    final: list[tuple[Delivery, Finish]] = field(default_factory=list)
    wanted: list[tuple[Delivery, Attempt]] = field(default_factory=list)

    @property
    def turning_away(self) -> list[Delivery]:
        """Those that perhaps claimed something before, and now go another way: that claim must not stay (P5.1)."""
        staying = {*self.ours, *(one for one, _ in self.wanted)}
        return [one for one in self.left if one.perhaps_claimed and one not in staying]


class Claiming:
    """For each batch one statement that claims what is new, one look at the rest, then at most one statement of each
    kind; who lost to another looks again."""

    def __init__(
        self,
        database: Database,
        clock: DatabaseClock,
        *,
        policies: Callable[[Lane], Policy],
        lease: float,
        time_zone: str,
        draw: Callable[[], float],
        metrics: Metrics,
        ways: Ways,
        routes: Sequence[Route[Delivery]],
    ) -> None:
        """`lease` in seconds; days are told in `time_zone`; `draw` gives the luck of delays."""
        self._routes = routes
        self._database = database
        self._clock = clock
        self._policies = policies
        self._lease = lease
        self._time_zone = time_zone
        self._draw = draw
        self._metrics = metrics
        self._ways = ways
        self._troubles = 0

    async def work(self, batch: list[Delivery]) -> None:
        """All of them go on, or come again."""
        if gone := [one for one in batch if not one.ticket.wanted]:
            self._ways.leave(gone)
        if here := [one for one in batch if one.ticket.wanted]:
            self._assign(here)
            await self._go_on(here)

    def _assign(self, batch: list[Delivery]) -> None:
        """Once for all: which provider they go to. Who waited outside until a pace allowed it stays with that one; what
        some of them know about themselves comes later."""
        for route in self._routes:
            if those := [one for one in batch if one.route is route and not _has_its_place(one)]:
                route.assign(those, urgent=those[0].urgent)

    async def _go_on(self, batch: list[Delivery]) -> None:
        this = Sorting(set(batch))
        try:
            async with self._database.connection() as connection:
                if rest := await self._claim_first(connection, batch, this):
                    await self._look(connection, rest, this)
                    await self._act(connection, this)
        except Exception as error:
            await self._trouble(error, [one for one in batch if one in this.left])
        else:
            self._troubles = 0

    async def _trouble(self, error: Exception, batch: list[Delivery]) -> None:
        """The database is away: later. A record that cannot be stored: by halves, until it is alone (P7)."""
        kind = fate(error)
        if kind == "other":
            log.error("claims_failed", exc_info=error)
            self._troubles += 1
            kind = "data" if self._troubles >= TRIES and await self._database.alive() else kind
        if kind != "data":
            self._ways.later(AGAIN_SECONDS, batch)
        elif len(batch) == 1:
            self._ways.poison(batch[0], error)
        else:
            await self._go_on(batch[: len(batch) // 2])
            await self._go_on(batch[len(batch) // 2 :])

    # -------------------------------------------------------------------------------------------- look and claim in one

    async def _claim_first(self, connection: Connection, batch: list[Delivery], this: Sorting) -> list[Delivery]:
        """P5.1 where it comes to nothing else but a first claim, as for nearly all; the others are left."""
        if not self._clock.is_set:
            return batch
        taking, stale = {outlet for route in self._routes for outlet in route.taking}, self._clock.now() - STALE
        fresh = {one.due.id: one for one in batch if one.fresh and one.outlet in taking and one.due.at > stale}
        await paying.allow(connection, list(fresh.values()))
        fresh = {id: one for id, one in fresh.items() if paying.allowed(one)}
        if not fresh:
            return batch
        for one in fresh.values():
            one.perhaps_claimed = True
        asked_at = self._clock.monotonic()
        wanted = [First(one.due.id, one.token, one.outlet.provider.name, one.due.expires_at) for one in fresh.values()]
        won = await claims.claim_first(connection, wanted, timedelta(seconds=self._lease))
        failpoint("delivery_after_claim")
        for one in fresh.values():
            one.perhaps_claimed = False
        return self._divided(batch, won, asked_at, this) if won else batch

    def _divided(self, batch: list[Delivery], won: Won, asked_at: float, this: Sorting) -> list[Delivery]:
        """Who won goes on; the others."""
        self._clock.heard(won.now, asked_at)
        ours = [one for one in batch if one.token in won.tokens]
        for one in ours:
            one.perhaps_claimed, one.past = True, NO_PAST
            one.attempt, one.lease_ends = first_attempt(one.due, won.now), asked_at + self._lease
        self._ways.carry(ours)
        this.left.difference_update(ours)
        return [one for one in batch if one in this.left]

    # ------------------------------------------------------------------------------------------------------- the look

    async def _look(self, connection: Connection, batch: Iterable[Delivery], this: Sorting) -> None:
        asked_at = self._clock.monotonic()
        look = await claims.look(connection, {one.due.id for one in batch})
        self._clock.heard(look.now, asked_at)
        stopped = await self._stopped(connection, batch, look.now) if look.suppressing else {}
        for one in batch:
            one.past = Past.of(look.claims.get(one.due.id, ()))
            decision = decide(
                one.due,
                one.past,
                now=look.now,
                token=one.token,
                policy=self._policies(one.due.lane),
                draw=self._draw(),
                stopped=stopped.get(one),
            )
            self._sort(one, decision, asked_at, this)

    async def _stopped(self, connection: Connection, batch: Iterable[Delivery], now: datetime) -> dict[Delivery, str]:
        """P5.7: why nothing is sent any more, of those whose address was suppressed since they were judged."""
        named = {one: name for one in batch if (name := name_for(one.due))}
        found = await among(connection, set(named.values())) if named else {}
        return {one: told(found[name], now, self._time_zone) for one, name in named.items() if name in found}

    def _sort(self, one: Delivery, decision: Decision, asked_at: float, this: Sorting) -> None:
        match decision:
            case Say(claim, conclusion):
                event = events.again(conclusion, claim, one.due, one.past, self._clock.now())
                this.told.append((one, event))
            case Hold(until):
                held = events.hold(one.due, until, IN_FLIGHT, attempt=one.past.attempts, unknown=one.past.unknown)
                this.told.append((one, held))
            case MarkUnknown():
                this.unknown.append((one, decision))
            case Finish():
                this.final.append((one, decision))
            case Unclaim():
                one.perhaps_claimed = True
                this.looking_again.append(one)
            case HandOver(attempt, None):
                self._want(one, attempt, this)
            case HandOver(attempt, float() as left):
                one.outlet = one.route.named(attempt.provider or "") or one.outlet
                one.attempt, one.lease_ends = attempt, asked_at + left
                this.ours.append(one)

    def _want(self, one: Delivery, attempt: Attempt, this: Sorting) -> None:
        """P5.4: the gate is asked before a claim is made; while it is only ajar, one may pass."""
        if attempt.provider is not None:
            self._want_of(attempt.provider, one, attempt, this)
            return
        if one.outlet.provider.name in one.past.failed_by:
            one.outlet = one.route.choose(one.past.failed_by, urgent=one.urgent)
        if _admitted(one, this):
            this.wanted.append((one, attempt))
        else:
            this.held.append(one)

    def _want_of(self, provider: str, one: Delivery, attempt: Attempt, this: Sorting) -> None:
        """P5.2: this provider or none. Nobody else waits with it: the lanes are not paused for its sake."""
        named = one.route.named(provider)
        one.outlet = named or one.outlet
        if named and _admitted(one, this):
            this.wanted.append((one, attempt))
            return
        seconds, gate = (named.gate.seconds, named.gate) if named else (LONGEST, None)
        held = events.hold(
            one.due,
            self._clock.in_seconds(seconds * (1 + self._draw() / 2)),
            (gate.why if gate else None) or PROVIDER_GONE,
            attempt=one.past.attempts,
            unknown=one.past.unknown,
            detail=f"{provider} may have it, and no other one gets it",
        )
        this.told.append((one, held))

    # ------------------------------------------------------------------------------------------------------- the acts

    async def _act(self, connection: Connection, this: Sorting) -> None:
        await self._pay(connection, this)
        await self._unclaim(connection, this)
        self._again(this, this.looking_again)
        for one, event in this.told:
            self._ways.say(one, event)
        for one in this.held:
            self._ways.wait(one)
        self._ways.carry(this.ours)
        this.left.difference_update((one for one, _ in this.told), this.held, this.ours)
        if this.unknown:
            await self._mark_unknown(connection, this)
        if this.final:
            await self._finish(connection, this)
        if this.wanted:
            await self._claim(connection, this)

    async def _pay(self, connection: Connection, this: Sorting) -> None:
        """P5.4: what the pace does not allow is held; what is not handed over now has its fare refunded."""
        await paying.allow(connection, [one for one, _ in this.wanted])
        for one, attempt in this.wanted:
            if not paying.allowed(one):
                self._hold(one, attempt, this)
        this.wanted = [(one, attempt) for one, attempt in this.wanted if paying.allowed(one)]
        going = {*this.ours, *(one for one, _ in this.wanted)}
        for one in this.left - going:
            refund(one)

    def _hold(self, one: Delivery, attempt: Attempt, this: Sorting) -> None:
        """With its lane, where it goes with all others. Who has a provider of his own (it may have it already, P5.2, or
        another one failed it, P5.3) waits for that one's pace alone; or goes on to the next, where its day is over."""
        chosen = one.route.choose(urgent=one.urgent)
        if one.outlet is chosen:
            this.held.append(one)
        elif attempt.provider is None and one.outlet.pace.used_up(urgent=one.urgent):
            this.looking_again.append(one)
        elif attempt.provider is not None or chosen.provider.name in one.past.failed_by:
            this.told.append((one, paced(one, self._clock)))
        else:
            this.held.append(one)

    async def _unclaim(self, connection: Connection, this: Sorting) -> None:
        if away := this.turning_away:
            await unclaim(connection, away)
            for one in away:
                one.unclaimed()

    async def _mark_unknown(self, connection: Connection, this: Sorting) -> None:
        marks = [
            Written(one.due.id, mark.claim.try_, mark.claim.token, mark.conclusion, one.about)
            for one, mark in this.unknown
        ]
        await claims.mark_unknown(connection, marks)
        self._metrics.unknown(this.unknown[0][0].due.channel or "", len(marks))
        self._again(this, [one for one, _ in this.unknown])

    async def _finish(self, connection: Connection, this: Sorting) -> None:
        final = [Written(one.due.id, end.try_, None, end.conclusion, one.about) for one, end in this.final]
        written = await claims.finish(connection, final)
        first = {(one.due.id, end.try_): one for one, end in this.final if (one.due.id, end.try_) in written}
        for one, end in this.final:
            if first.get((one.due.id, end.try_)) is one:
                self._ways.say(one, _ended(one, end))
                this.left.discard(one)
        self._again(this, [one for one, _ in this.final if one in this.left])

    async def _claim(self, connection: Connection, this: Sorting) -> None:
        before = {one: one.perhaps_claimed for one, _ in this.wanted}
        for one in before:
            one.perhaps_claimed = True
        asked_at = self._clock.monotonic()
        wanted = [
            Wanted(one.due.id, one.token, attempt, one.outlet.provider.name, one.due.expires_at)
            for one, attempt in this.wanted
        ]
        won = await claims.claim(connection, wanted, timedelta(seconds=self._lease))
        failpoint("delivery_after_claim")
        ours = []
        for one, attempt in this.wanted:
            if one.token in won:
                one.attempt, one.lease_ends = attempt, asked_at + self._lease
                ours.append(one)
            else:
                one.perhaps_claimed = before[one]
        self._ways.carry(ours)
        this.left.difference_update(ours)
        self._again(this, [one for one, _ in this.wanted if one in this.left])

    def _again(self, this: Sorting, deliveries: list[Delivery]) -> None:
        self._ways.again(deliveries)
        this.left.difference_update(deliveries)


def _has_its_place(one: Delivery) -> bool:
    return one.fare is not None and paying.allowed(one) and one.route.takes(one.outlet)


def _admitted(one: Delivery, this: Sorting) -> bool:
    outlet = one.outlet
    return one.route.takes(outlet) or sum(other.outlet is outlet for other, _ in this.wanted) < outlet.gate.admits


def _ended(one: Delivery, end: Finish) -> Event:
    return events.outcome(
        end.conclusion,
        one.due.passed_on(),
        try_=end.try_,
        attempt=one.past.attempts,
        unknown=end.conclusion.unknown,
        provider=None,
    )
