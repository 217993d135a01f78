"""A sender (P5): an engine that has a few deliveries in flight, and the loop that announces what came late."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Final

from tests.model.calls import DatabaseError, KafkaError, send, transaction
from tests.model.claiming import Conflict, Go, Say, claim, conclude, event, held, late_acceptances
from tests.model.instance import Instance
from tests.model.kafka import Consumer, Partition
from tests.model.provider import hand_over
from tests.model.tables import Claim, Record
from tests.model.world import Steps, World

IN_FLIGHT: Final = 4


@dataclass(slots=True)
class Lane:
    """What of a partition is in flight; below `high` everything is finished, and `ts` is the time of the last of it."""

    world: World
    high: int
    ts: float | None = None
    finished: dict[int, bool] = field(default_factory=dict)
    times: dict[int, float] = field(default_factory=dict)

    def admit(self, offset: int, ts: float) -> bool:
        """False for what is in flight already; an offset below `high` is one of another topic, or after a rebalance."""
        if offset in self.finished:
            return False
        if offset < self.high:
            if not self.world.on("admit_reset"):
                return False
            self.finished, self.high, self.ts = {}, offset, None
        self.finished[offset], self.times[offset] = False, ts
        return True

    def finish(self, offset: int) -> None:
        contiguous = self.world.on("contiguous")
        if offset in self.finished:
            self.finished[offset] = True
            if not contiguous:
                self.high, self.ts = max((self.high, self.ts or 0), (offset + 1, self.times[offset]))
        while self.finished and self.finished[first := min(self.finished)]:
            if contiguous or first >= self.high:
                self.high, self.ts = first + 1, self.times[first]
            del self.finished[first]


class Engine:
    """One sender's; at most IN_FLIGHT records are in hand, and only what is finished is committed."""

    def __init__(self, world: World, instance: Instance) -> None:
        self.world = world
        self.instance = instance
        self.consumer = Consumer(world.kafka, instance, "sender", ["due", "urgent"])
        self.lanes: dict[Partition, Lane] = {}
        self.in_flight = 0

    def steps(self) -> Steps:
        world = self.world
        while True:
            if self.consumer.sync() and world.on("lanes_die"):
                self.lanes = {}
            if self.in_flight < IN_FLIGHT:
                self._read()
            yield world.dice.randint(1, 5)
            for partition, lane in self.lanes.items():
                if lane.ts is not None:
                    self.consumer.commit(partition, lane.high, lane.ts)

    def _read(self) -> None:
        for partition, offset, record in self.consumer.poll(2, self._paused()):
            lane = self.lanes.get(partition) or self.lanes.setdefault(partition, Lane(self.world, offset))
            if lane.admit(offset, record["ts"]):
                self.in_flight += 1
                self.instance.busy += 1
                self.world.spawn(self.instance, self._deliver(record, lane, offset))

    def _paused(self) -> tuple[str, ...]:
        if self.world.held != "pause":
            return ()
        return ("due",) if self.world.on("urgent_flows") else ("due", "urgent")

    def _deliver(self, record: Record, lane: Lane, offset: int) -> Steps:
        message = record.copy()
        message.pop("swept", None)
        message.pop("ts", None)
        yield from Delivery(self.world, self.instance, message).steps()
        lane.finish(offset)
        self.in_flight -= 1
        self.instance.busy -= 1


def deliver(world: World, instance: Instance) -> Steps:
    yield from Engine(world, instance).steps()


class Delivery:
    """One `due` in hand, from its claim to the event of its result. The token is drawn once (P5.1)."""

    def __init__(self, world: World, instance: Instance, message: Record) -> None:
        self.world = world
        self.instance = instance
        self.message = message
        self.token = world.number()
        self.tried = False
        """A claim of unknown fate may be there."""

    def steps(self) -> Steps:
        done = False
        while not done:
            try:
                yield 0
                done = yield from (self._wait() if self._is_held() else self._claim())
            except (DatabaseError, KafkaError):
                yield 3

    def _is_held(self) -> bool:
        """By a budget, a pause, an open circuit: before any claim; an `end` is not (P5.8)."""
        return bool(self.world.held) and not (self.message.get("end") and self.world.on("end_first"))

    def _wait(self) -> Generator[int, None, bool]:
        """P5.4: in its paused lane, or else through `retry`, with the same try."""
        world, message = self.world, self.message
        if self.tried and world.on("give_back"):
            yield from transaction(world, self._give_back)
        self.tried = False
        if world.held == "pause" and message["lane"] == "due":
            yield 3
            return False
        yield from send(world, *held(message, world.now + 6, message["try"] + (not world.on("hold_try"))))
        return True

    def _give_back(self) -> None:
        claims = self.world.claims[self.message["id"]]
        for try_, one in list(claims.items()):
            if one.token == self.token and not one.result:
                del claims[try_]

    def _claim(self) -> Generator[int, None, bool]:
        world, message = self.world, self.message
        if not world.on("token_once"):
            self.token = world.number()
        looked = None
        if world.hit("race"):  # others may come between looking and writing
            looked = {try_: replace(one) for try_, one in world.claims[message["id"]].items()}
            yield world.dice.randint(0, 2)
        self.tried = True
        verdict = yield from transaction(world, claim, world, message, self.token, looked)
        tried = f"{message['id']} try {message['try']} {message.get('end') or ''}"
        world.say(self.instance.name, "claim", tried, verdict)
        match verdict:
            case Conflict():
                return False
            case Say(topic, record):
                yield from send(world, topic, record)
            case Go(claimed):
                yield from self._hand_over(claimed)
        return True

    def _hand_over(self, claimed: Claim) -> Steps:
        """The hand-over, its result, its event; the last two until they are known to be written."""
        world, message = self.world, self.message
        result = yield from hand_over(world, claimed, message)
        while True:
            try:
                said = yield from transaction(world, conclude, world, message, claimed.try_, self.token, result)
                break
            except DatabaseError:
                yield 3
        while said:
            try:
                yield from send(world, *said)
                break
            except KafkaError:
                yield 3
        world.claims[message["id"]][claimed.try_].late = False


def announce(world: World, instance: Instance) -> Steps:
    """P5.6: publishes the acceptances that came late and whose event is not acknowledged yet."""
    while True:
        yield world.dice.randint(6, 14)
        for one in late_acceptances(world) if world.on("unannounced") else ():
            try:
                yield from send(world, *event(world, one, None))
                one.late = False
            except KafkaError:
                pass  # the next round says it
