"""A world: its dice, its clock, its services' tables, and who is to take a step when."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from typing import Final

from tests.model.instance import Instance
from tests.model.kafka import Kafka
from tests.model.knobs import KNOBS
from tests.model.tables import Claim, Gateway, Intake, Timer
from tests.model.truth import Truth

Steps = Generator[int, None, None]
"""What somebody does. Every `yield` is an awaited step, at which others go on; `yield n` sleeps n ticks, 0 none."""
Loops = Mapping[str, Sequence[Callable[["World", Instance], Steps]]]
"""By service: what each of its instances does from its start on."""
Task = tuple[Instance | None, int, Steps]
"""Whose steps they are, in which of its lives; clients belong to nobody."""

SERVICES: Final = ("intake", "scheduler", "sender", "gateway")


class World:
    """One seed is one world.

    `off` names the rules that are left out, `boost` and `drop` the knobs that are set and that are off; `instances` are
    counts, one per service. Whatever is not said is drawn.
    """

    def __init__(
        self,
        seed: int,
        loops: Loops,
        off: Collection[str] = (),
        boost: Mapping[str, float] | None = None,
        drop: Collection[str] = (),
        instances: Sequence[int] | None = None,
        traced: bool = False,
    ) -> None:
        self.dice = random.Random(seed)
        self.off = frozenset(off)
        self.knobs = self._drawn_knobs() | dict(boost or {}) | dict.fromkeys(drop, 0)
        self.trace: list[str] | None = [] if traced else None

        self.now = 0
        self.steps = 0
        self.later: list[tuple[int, int, Task]] = []
        self._numbers = 0

        self.quiet = False
        """Faults have stopped."""
        self.held = ""
        """The hold switch: what is held waits through `retry`, or in its `pause`d partitions."""
        self.shut = ""
        """The provider that is shut."""
        self.address = 0
        """The person's, by the directory."""

        self.kafka = Kafka(self.dice, self.on)
        self.intake = Intake()
        self.timers: dict[int, Timer] = {}
        self.claims: defaultdict[int, dict[int, Claim]] = defaultdict(dict)
        self.gateway = Gateway()
        self.truth = Truth()

        self.loops = loops
        counts = instances or [self.dice.choice((1, 1, 2)) for _ in SERVICES]
        self.instances = [
            Instance(service, f"{service}{number}")
            for service, count in zip(SERVICES, counts, strict=True)
            for number in range(count)
        ]
        for instance in self.instances:
            self.start(instance)

    def _drawn_knobs(self) -> dict[str, float]:
        """Each world has some of all that can happen; a topic is lost in few."""
        dice = self.dice
        knobs = {
            knob: usual * dice.choice((0.3, 1, 2)) if dice.random() < 0.5 else 0.0 for knob, usual in KNOBS.items()
        }
        knobs["resend_policy"] = 1 if dice.random() < 0.8 else 0
        if dice.random() > 0.25:
            knobs["loss"] = 0
        return knobs

    def on(self, rule: str) -> bool:
        return rule not in self.off

    def hit(self, knob: str) -> bool:
        """Whether it happens now; never, when faults have stopped."""
        return not self.quiet and self.knobs[knob] > 0 and self.dice.random() < self.knobs[knob]

    def any_fault(self, *faults: str) -> bool:
        """Whether one of these can happen in this world."""
        return any(self.knobs[fault] for fault in faults)

    def say(self, *words: object) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.now:5} " + " ".join(map(str, words)))

    def number(self) -> int:
        """One that was never drawn before."""
        self._numbers += 1
        return self._numbers

    def spawn(self, instance: Instance | None, steps: Steps, delay: int = 0) -> None:
        self.put_off((instance, instance.life if instance else 0, steps), self.now + delay)

    def put_off(self, task: Task, until: int) -> None:
        heapq.heappush(self.later, (until, self.number(), task))

    def start(self, instance: Instance) -> None:
        instance.alive, instance.paused_until, instance.busy = True, 0, 0
        for loop in self.loops[instance.service]:
            self.spawn(instance, loop(self, instance))

    def up(self, service: str) -> list[Instance]:
        """Those that would answer now."""
        return [one for one in self.instances if one.service == service and one.alive and one.paused_until <= self.now]
