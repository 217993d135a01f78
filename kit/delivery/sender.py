"""A channel's sender: the steps of the pipe, put together behind the engine."""

import asyncio
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from contracts.events import Due, Event
from contracts.status import Channel, Lane
from contracts.topics import Topic
from kit.bus.publisher import Publisher
from kit.clock import monotonic
from kit.control.switches import Switches
from kit.delivery.condition import LIMITS, NONE, Limits
from kit.delivery.gate import PAUSES, REST, Gate
from kit.delivery.outcomes import Accepted, Refused, Unavailable, Unknown
from kit.delivery.pace.pace import Pace
from kit.delivery.pace.rules import Limit
from kit.delivery.pipe import paying
from kit.delivery.pipe.announcing import Announcing
from kit.delivery.pipe.batching import Batcher
from kit.delivery.pipe.claiming import Claiming
from kit.delivery.pipe.delivery import DatabaseClock, Delivery
from kit.delivery.pipe.handing import Handing
from kit.delivery.pipe.leaving import Leaving
from kit.delivery.pipe.outlet import Hands, Outlet
from kit.delivery.pipe.reading import Reading
from kit.delivery.pipe.recording import Recording
from kit.delivery.pipe.route import Route
from kit.delivery.pipe.saying import Saying, Word
from kit.delivery.provider import Provider
from kit.delivery.rules import Policy
from kit.delivery.simulator import Simulator
from kit.engine import Ticket
from kit.metrics import Metrics
from kit.postgres import Database
from kit.reading import in_full
from kit.tracing import OFF, Tracer

KNOCK_SECONDS: Final = 0.2
"""Between two looks whether those who wait may try."""

WORDS_LINGER: Final = 0.05
"""Seconds for which a busy sender gathers its words: a dozen partitions share them, and Kafka pays for each batch."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What tells one channel's sender from another's.

    `lanes` the most urgent first; `providers` the preferred one first; `lease` in seconds, at least a provider's
    time-out and room to wait for a hand; `hands` hand-overs at a time to each provider, `spare` of them for the urgent
    lane alone; `closed_because`: everything is held; `pauses` in seconds, between two looks whether a provider that
    takes nothing takes something again, `rest` whether one that did badly does well; `limits`: from where on a provider
    is ailing; `paces` by the name of the provider, `parts_of` what they count; `simulator` plays the addresses that
    reach nobody; `time_zone`: in which days are told to people.
    """

    channel: Channel
    service: str
    lanes: Sequence[Topic]
    providers: Sequence[Provider]
    policies: Callable[[Lane], Policy]
    lease: float
    hands: int
    spare: int
    closed_because: str | None = None
    pauses: Sequence[float] = PAUSES
    rest: Sequence[float] = REST
    limits: Limits = LIMITS
    simulator: Simulator = field(default_factory=Simulator)
    paces: Mapping[str, Sequence[Limit]] = field(default_factory=dict)
    parts_of: Callable[[Due], int] = lambda _: 1
    time_zone: str = "UTC"


class Sender:
    """The engine's work. Each method of the middle part is a way from one step to another: read them as the pipe."""

    def __init__(
        self, setup: Setup, database: Database, publisher: Publisher, metrics: Metrics, tracer: Tracer = OFF
    ) -> None:
        self._tracer = tracer
        self._channel = setup.channel
        self._paused = False
        self._lanes = setup.lanes
        self._database = database
        self._simulator = setup.simulator
        self._route = Route[Delivery](_outlets(setup, setup.providers, setup.limits, metrics))
        self._played = Route[Delivery](_outlets(setup, [self._simulator], NONE, metrics))
        self._routes = (self._route, self._played)
        self._clock = DatabaseClock(monotonic)
        self._broken: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

        self._reading = Reading(setup.service, self._route_of, metrics)
        claiming = Claiming(
            database,
            self._clock,
            policies=setup.policies,
            lease=setup.lease,
            time_zone=setup.time_zone,
            draw=random.random,
            metrics=metrics,
            ways=self,
            routes=self._routes,
        )
        # The urgent lane never waits behind a batch of another.
        self._claiming = [Batcher(claiming.work, self._break) for _ in setup.lanes]
        handing = Handing(self._clock, metrics, self, tracer)
        self._hands = {
            outlet: Hands(handing.give, self._break, setup.hands, setup.spare)
            for route in self._routes
            for outlet in route.outlets
        }
        self._recording = Recording(database, self._clock, setup.policies, random.random, metrics, self)
        self._results = Batcher(self._recording.work, self._break)
        self._leaving = Leaving(database, self._clock, random.random, self)
        self._left = Batcher(self._leaving.work, self._break)
        saying = Saying(database, publisher, metrics, self)
        self._words = Batcher(saying.work, self._break, linger=WORDS_LINGER)
        self._announcing = Announcing(database, publisher, metrics)
        self._metrics = metrics
        metrics.when_read(self._show)

    async def start(self) -> None:
        self._broken = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends everything where it is; the engine, which stops before us, has let what could end end."""
        for batcher in self._claiming:
            await batcher.stop()
        await self._results.stop()
        await self._left.stop()
        await self._words.stop()
        for outlet, hands in self._hands.items():
            await hands.stop()
            await paying.settle(self._database, outlet)
        if self.task and not self.task.done():
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task

    # -------------------------------------------------------------------------------------------- what the engine wants

    def take(self, tickets: Sequence[Ticket]) -> None:
        deliveries, words = self._reading.read(tickets)
        self._words.add(words)
        if began := self._tracer.now():
            for one in deliveries:
                one.began = began
        self.again(deliveries)

    def let_go(self) -> None:
        for hands in self._hands.values():
            self.leave(hands.take_unbegun())
        for route in self._routes:
            self.leave(list(route.waiting))
            route.waiting.clear()

    def held(self) -> Collection[Topic]:
        """P5.4: every lane but the urgent one, while no provider takes anything and somebody waits for that; while one
        waits for a pace, the lanes that are no more urgent."""
        return self._lanes[1 if self._route.is_held else max(self._route.waiting.rank, 1) :]

    # ------------------------------------------------------------------------------------------- what an operator wants

    def obey(self, switches: Switches) -> None:
        """What is paused by hand, a provider or the whole channel, and what is not any more."""
        self._paused = switches.is_paused("channel", self._channel)
        for outlet in self._hands:
            outlet.gate.paused = self._paused or switches.is_paused("provider", outlet.provider.name)

    def about(self) -> dict[str, Any]:
        """How each provider is doing, the preferred one first, and whether the channel is paused: for `ops.status`."""
        providers = [{"channel": self._channel} | outlet.about() for outlet in self._route.outlets]
        return {"providers": providers, "channels": {self._channel: self._paused}}

    def _show(self) -> None:
        """How each provider is doing, and how much waits where: for `/metrics`."""
        for outlet in self._hands:
            name = outlet.provider.name
            self._metrics.provider_state(self._channel, name, outlet.state)
            for unit, left in outlet.pace.left().items():
                self._metrics.budget_left(self._channel, name, unit, left)
        for step, waiting in (
            ("claim", sum(map(len, self._claiming))),
            ("hand_over", sum(map(len, self._hands.values()))),
            ("held", sum(len(route.waiting) for route in self._routes)),
            ("record", len(self._results)),
            ("say", len(self._words)),
        ):
            self._metrics.waiting(self._channel, step, waiting)

    # ------------------------------------------------------------------------------------------------ from step to step

    def again(self, deliveries: Sequence[Delivery]) -> None:
        """To the claims."""
        for rank, batcher in enumerate(self._claiming):
            batcher.add([one for one in deliveries if one.ticket.rank == rank])

    def later(self, seconds: float, deliveries: Sequence[Delivery]) -> None:
        """To the claims, but not at once."""
        for rank, batcher in enumerate(self._claiming):
            batcher.later(seconds, [one for one in deliveries if one.ticket.rank == rank])

    def carry(self, deliveries: Sequence[Delivery]) -> None:
        """To the provider, claimed."""
        for one in deliveries:
            if one.began:
                self._tracer.done("claim", [(one.due.id, one.due.trace)], one.began)
        for outlet, hands in self._hands.items():
            hands.put([one for one in deliveries if one.outlet is outlet])

    def record(self, delivery: Delivery, outcome: Accepted | Refused | Unavailable | Unknown) -> None:
        """The provider's word is written down."""
        self._results.add([self._recording.judged(delivery, outcome)])

    def record_later(self, seconds: float, deliveries: Sequence[Delivery]) -> None:
        """The same, as soon as the database can."""
        self._results.later(seconds, deliveries)

    def say(self, delivery: Delivery, event: Event) -> None:
        """Its record is done with when Kafka has this."""
        self._words.add([Word(event, delivery.ticket)])

    def say_word(self, word: Word) -> None:
        """The same, of a record that never became a delivery."""
        self._words.add([word])

    def say_later(self, seconds: float, word: Word) -> None:
        """As soon as Kafka can."""
        self._words.later(seconds, [word])

    def leave(self, deliveries: Sequence[Delivery]) -> None:
        """Not to be handed over now: its claim, if it has one, goes first."""
        self._left.add(deliveries)

    def leave_later(self, seconds: float, deliveries: Sequence[Delivery]) -> None:
        """The same, as soon as the database can."""
        self._left.later(seconds, deliveries)

    def wait(self, delivery: Delivery) -> None:
        """Unclaimed, until its provider takes something again."""
        self._leaving.wait(delivery)

    def poison(self, delivery: Delivery, error: Exception) -> None:
        """The claims cannot hold it (P7)."""
        self.say_word(self._reading.poison(delivery.ticket, in_full(error)))

    def announce(self) -> None:
        """There is a late acceptance to be said."""
        self._announcing.wake()

    # -------------------------------------------------------------------------------------------------- beside the pipe

    def _route_of(self, due: Due) -> Route[Delivery]:
        return self._played if due.content and self._simulator.plays(due.content.to) else self._route

    async def _run(self) -> None:
        assert self._broken is not None
        await self._announcing.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._knock())
                await self._broken
        finally:
            await self._announcing.stop()

    async def _knock(self) -> None:
        while True:
            await asyncio.sleep(min(KNOCK_SECONDS, *(route.opens_in for route in self._routes)))
            for route in self._routes:
                for outlet in route.outlets:
                    outlet.gate.look()
                    if not route.takes(outlet):
                        # Not begun there: a better one gets it, or it waits.
                        self.leave(self._hands[outlet].take_unbegun())
                self.again(await paying.knocked(self._database, route))

    def _break(self, error: BaseException) -> None:
        """A mistake of ours: what it left behind is safe in Kafka and in the claims, and this process must go."""
        if self._broken and not self._broken.done():
            self._broken.set_exception(error)


def _outlets(setup: Setup, providers: Sequence[Provider], limits: Limits, metrics: Metrics) -> list[Outlet]:
    """Each with a gate and a pace of its own."""
    return [
        Outlet(
            provider,
            Gate(
                provider.name,
                monotonic,
                pauses=setup.pauses,
                rest=setup.rest,
                limits=limits,
                closed_because=setup.closed_because,
                turned=partial(metrics.provider_open, setup.channel, provider.name),
            ),
            Pace(setup.paces.get(provider.name, ()), monotonic, setup.parts_of),
            position,
        )
        for position, provider in enumerate(providers)
    ]
