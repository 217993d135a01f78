"""Worlds are run: one by its seed, many, or the smallest that shows a violation."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tests.model import faults, judging
from tests.model.clients import Client, cancel_group
from tests.model.knobs import KNOBS
from tests.model.parameters import FAULT_TICKS, QUIET_TICKS
from tests.model.services import LOOPS
from tests.model.truth import Violation
from tests.model.world import Task, World

FEWEST: Final = (1, 1, 1, 1)
"""One instance of each service."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the worlds of a run have in common; whatever is not said is drawn by each."""

    off: frozenset[str] = frozenset()
    boost: Mapping[str, float] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    notifications: int | None = None
    instances: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """How often each violation was found, and in which seed with the fewest steps."""

    tried: int
    seconds: float
    violations: Counter[str]
    smallest: Mapping[str, tuple[int, int]]
    """Steps, seed."""


def build(seed: int, conditions: Conditions = Conditions(), traced: bool = False) -> World:
    """A world with its services and clients, before the first step."""
    world = World(seed, LOOPS, conditions.off, conditions.boost, conditions.drop, conditions.instances, traced)
    for id in range(conditions.notifications or world.dice.choice((1, 1, 2, 3, 4))):
        world.spawn(None, Client(world, id).steps())
    if world.dice.random() < world.knobs["group"]:
        world.spawn(None, cancel_group(world))
    return world


def run(world: World) -> None:
    """To its end, and judged. Raises Violation."""
    ready: list[Task] = []
    while True:
        while world.later and world.later[0][0] <= world.now:
            ready.append(heapq.heappop(world.later)[2])
        if ready:
            _step(world, ready)
            continue
        world.now = world.later[0][0]
        if not world.quiet and world.now > FAULT_TICKS:
            faults.stop(world)
        if world.quiet and (world.now > FAULT_TICKS + QUIET_TICKS or judging.is_at_rest(world)):
            break
    judging.judge(world)


def _step(world: World, ready: list[Task]) -> None:
    """Somebody who can takes a step, time may go on, and something may break."""
    dice = world.dice
    chosen = int(dice.random() * len(ready))
    ready[chosen], ready[-1] = ready[-1], ready[chosen]
    task = ready.pop()
    instance, life, steps = task
    if instance:
        if instance.life != life:
            return
        if instance.paused_until > world.now:
            world.put_off(task, instance.paused_until)
            return
    world.steps += 1
    try:
        pause = next(steps)
    except StopIteration:
        return
    if pause:
        world.put_off(task, world.now + pause)
    else:
        ready.append(task)
    if dice.random() < 0.15:
        world.now += 1
    if not world.quiet and dice.random() < 0.2:
        faults.strike(world)


def one(seed: int, conditions: Conditions = Conditions(), traced: bool = False) -> tuple[World, str | None]:
    """The world of this seed at its end, and what was violated in it."""
    world = build(seed, conditions, traced)
    try:
        run(world)
    except Violation as violation:
        return world, str(violation)
    return world, None


def many(seeds: Iterable[int], conditions: Conditions = Conditions(), budget: float = float("inf")) -> Found:
    """One after the other, until the budget (seconds) is used up."""
    violations: Counter[str] = Counter()
    smallest: dict[str, tuple[int, int]] = {}
    began, tried = time.monotonic(), 0
    for seed in seeds:
        world, violation = one(seed, conditions)
        tried += 1
        if violation:
            violations[violation] += 1
            smallest[violation] = min(smallest.get(violation, (world.steps, seed)), (world.steps, seed))
        if time.monotonic() - began > budget:
            break
    return Found(tried, time.monotonic() - began, violations, smallest)


def shrink(violation: str, seeds: Sequence[int], conditions: Conditions) -> tuple[int, Conditions] | None:
    """The smallest world that still shows it: fewer notifications and instances, one knob after the other dropped."""

    def showing(seeds: Iterable[int], conditions: Conditions) -> list[int]:
        return [seed for seed in seeds if one(seed, conditions)[1] == violation]

    for size in (
        replace(conditions, notifications=1, instances=FEWEST),
        replace(conditions, notifications=1),
        conditions,
    ):
        if hits := showing(seeds, size):
            break
    else:
        return None
    best = replace(size, drop=())
    for knob in KNOBS:
        less = replace(best, drop=(*best.drop, knob))
        # On few seeds: a knob that is dropped changes what happens in all of them.
        if still := showing(sorted({*hits[:60], *seeds[:240]}), less):
            best, hits = less, still
    return min((one(seed, best)[0].steps, seed) for seed in hits)[1], best
