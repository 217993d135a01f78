"""What clients do: ask, by REST or through Kafka, repeat themselves, change their minds, cancel a group."""

from __future__ import annotations

from collections.abc import Generator

from tests.model.calls import KafkaError, send
from tests.model.outbox import Answer, ask
from tests.model.parameters import DEFAULT_EXPIRY, GROUP
from tests.model.tables import OutboxRow, Record, requested
from tests.model.world import Steps, World


class Client:
    """Of one notification."""

    def __init__(self, world: World, id: int) -> None:
        self.world = world
        self.id = id
        self.truth = world.truth

    def steps(self) -> Steps:
        world, dice = self.world, self.world.dice
        yield dice.randint(0, 30)
        request = self._request()
        self.truth.wanted[self.id] = [request["at"]]
        self.truth.requests[self.id] = request
        if self._chance("kafka_source"):
            self.truth.direct.add(self.id)
        if (yield from self._offer(request)):
            self.truth.accepted[self.id] = world.now
        for job in self._jobs(request):
            yield dice.randint(1, 40)
            match job:
                case "again":
                    yield from self._offer(request)
                case "conflict":
                    yield from self._offer({**request, "body": "B", "at": -1, "bad": False})
                case "cancel" if self.id in self.truth.accepted:
                    yield from self._cancel()
                case "move" if self.id in self.truth.accepted:
                    yield from self._move(request["urgent"])

    def _chance(self, knob: str) -> bool:
        """Drawn only in worlds where it happens at all."""
        return self.world.knobs[knob] > 0 and self.world.dice.random() < self.world.knobs[knob]

    def _request(self) -> Record:
        world, dice = self.world, self.world.dice
        return {
            "id": self.id,
            "type": "request",
            "body": "A",
            "at": world.now + dice.choice((-1, -1, 8, 30, 60)),
            "expires": world.now + (dice.randint(10, 90) if self._chance("short") else DEFAULT_EXPIRY),
            "urgent": dice.random() < world.knobs["urgent"],
            "inapp": self._chance("inapp"),
            "bad": self._chance("bad"),
            "group": world.knobs["group"] > 0 and dice.random() < 0.6,
        }

    def _jobs(self, request: Record) -> list[str]:
        dice = self.world.dice
        jobs = ["again"] if dice.random() < 0.3 else []
        jobs += [job for job in ("conflict", "cancel") if self._chance(job)]
        if self.world.knobs["move"] and request["at"] > self.world.now:
            jobs += ["move"] * dice.choice((0, 1, 2))
        dice.shuffle(jobs)
        return jobs

    def _offer(self, record: Record) -> Generator[int, None, bool]:
        """Whether anybody took it, be it with a refusal."""
        if self.id not in self.truth.direct:
            return (yield from ask(self.world, record)) is not Answer.NONE
        for _ in range(60):
            try:
                yield from send(self.world, requested(record), record)
                return True
            except KafkaError:
                yield 4
        return False

    def _cancel(self) -> Steps:
        self.world.say("client cancels", self.id)
        answer = yield from ask(self.world, {"id": self.id, "type": "cancel"})
        if answer is not Answer.NONE:
            self.truth.cancels[self.id] = self.world.now

    def _move(self, urgent: bool) -> Steps:
        to = self.world.now + self.world.dice.choice((5, 25, 50))
        self.world.say("client moves", self.id, "to", to)
        self.truth.wanted[self.id].append(to)
        answer = yield from ask(self.world, {"id": self.id, "type": "move", "at": to, "urgent": urgent})
        self.truth.moves[self.id].append((to, answer is not Answer.NONE))


def cancel_group(world: World) -> Steps:
    for _ in range(world.dice.choice((1, 1, 2))):
        yield world.dice.randint(1, 80)
        answer = yield from ask(world, {"id": GROUP, "type": "cancel_group"})
        if isinstance(answer, OutboxRow):
            world.truth.group_cancelled_at = answer.record["accepted_at"]
