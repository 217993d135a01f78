"""The scheduler (P4): one timer for each notification, fired in the transaction that deletes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.model.calls import KafkaError, send
from tests.model.instance import Instance, Lock
from tests.model.tables import Record, Said, Timer, requested
from tests.model.world import Steps, World

AT_ONCE: Final = 3
"""So many timers are fired by one transaction."""


def judge(world: World, batch: Sequence[Record]) -> list[Said] | None:
    """Arms and takes back; None while somebody fires one of these timers."""
    timers = world.timers
    if any(record["id"] in timers and timers[record["id"]].is_locked for record in batch):
        return None
    for record in batch:
        id = record["id"]
        match record["type"]:
            case "scheduled" if not record.get("handed"):
                ripe: Record = {"id": id, "type": "ripe", "round": record["round"], "urgent": record["urgent"]}
                _arm(world, id, Timer((record["round"], 0), record["at"], ripe))
            case "take_back" if id in timers and timers[id].record["type"] == "ripe":
                del timers[id]
            case "retry":
                due = record["due"]
                _arm(world, id, Timer((due["round"], due["try"]), record["at"], due))
    return []


def _arm(world: World, id: int, new: Timer) -> None:
    """P4.1, but an `end` is merged with what is there (P4.3)."""
    old = world.timers.get(id)
    if old and world.on("end_kept") and (old.record.get("end") or new.record.get("end")):
        if not old.record.get("end") and new.key < old.key and not world.on("end_low"):
            return
        ends = old.record if old.record.get("end") else new.record
        new = Timer(max(new.key, old.key), min(new.at, old.at), ends)
    elif old and new.key < old.key and world.on("timer_key"):
        return
    world.timers[id] = new


def fire(world: World, instance: Instance) -> Steps:
    """P4.2: one transaction takes what nobody else holds, publishes it, puts back what was not taken, and commits."""
    while True:
        yield world.dice.randint(1, 5)
        due = [id for id, timer in world.timers.items() if timer.at <= world.now and not timer.is_locked][:AT_ONCE]
        if not due or world.hit("dbdown"):
            continue
        instance.busy += 1
        lock = Lock()
        instance.locks.append(lock)
        yield from _fire(world, due, lock)
        lock.alive = False
        if lock in instance.locks:
            instance.locks.remove(lock)
        instance.busy -= 1


def _fire(world: World, due: Sequence[int], lock: Lock) -> Steps:
    timers = world.timers
    rows = {id: timers[id] for id in due}
    for timer in rows.values():
        timer.lock = lock
    if not world.on("fire_in_tx"):
        for id in due:
            del timers[id]
    refused: set[int] = set()
    for id, timer in rows.items():
        record = timer.record
        try:
            yield from send(world, requested(record) if record["type"] == "ripe" else record["lane"], record)
        except KafkaError:
            refused.add(id)
    yield 0
    if lock.alive and not world.hit("dbdown"):
        for id in due:
            if id not in refused:
                timers.pop(id, None)
            elif id in timers:
                timers[id].at = world.now + 2 ** timers[id].failures
                timers[id].failures += 1
        world.say("fired", due, "but", refused)
