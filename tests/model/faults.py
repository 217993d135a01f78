"""What breaks: instances, groups, topics, providers, and the switch that holds everything."""

from __future__ import annotations

from typing import Final

from tests.model import watching
from tests.model.instance import Instance
from tests.model.world import Steps, World

TOPICS: Final = (
    "requested",
    "requested_urgent",
    "scheduled",
    "due",
    "urgent",
    "inapp",
    "inapp_urgent",
    "retry",
    "sent",
    "failed",
    "receipts",
)


def strike(world: World) -> None:
    """Perhaps one thing happens, to one instance or to all."""
    dice = world.dice
    instance = dice.choice(world.instances)
    if not instance.alive:
        return
    if world.hit("crash"):
        _crash(world, instance)
    elif world.hit("pause"):
        _pause(world, instance)
    elif world.hit("rebalance") and instance.groups:
        group = dice.choice(sorted(instance.groups))
        world.say("REBALANCE", group)
        world.kafka.rebalance(group)
    elif world.hit("loss"):
        for topic in TOPICS if dice.random() < 0.5 else [dice.choice(TOPICS)]:
            world.say("LOSS", topic)
            world.kafka.lose(topic, world.now)
    elif world.hit("hold"):
        _switch(world, "" if world.held else dice.choice(("retry", "pause")))
    elif world.hit("directory"):
        world.address += 1
    elif world.knobs["spare"] and world.hit("shut"):
        world.shut = "" if world.shut else dice.choice(("main", "spare"))
        world.say("SHUT", world.shut)


def stop(world: World) -> None:
    """From now on nothing breaks, and everybody is there."""
    _switch(world, "")
    world.shut, world.quiet = "", True
    world.say("--- faults stop ---")
    for instance in world.instances:
        instance.paused_until = 0
        if not instance.alive:
            world.start(instance)


def _crash(world: World, instance: Instance) -> None:
    world.say("CRASH", instance.name)
    instance.lose_locks()
    _leave_groups(world, instance)
    instance.alive, instance.life, instance.groups, instance.locks = False, instance.life + 1, set(), []
    world.spawn(None, _revive(world, instance), world.dice.randint(1, 40))


def _revive(world: World, instance: Instance) -> Steps:
    if not instance.alive:
        world.start(instance)
    yield from ()


def _pause(world: World, instance: Instance) -> None:
    instance.paused_until = world.now + world.dice.randint(5, 80)
    world.say("PAUSE", instance.name, "until", instance.paused_until)
    if world.dice.random() < 0.7:  # its sessions time out
        _leave_groups(world, instance)
    if world.dice.random() < 0.5:  # idle_in_transaction_session_timeout
        instance.lose_locks()


def _leave_groups(world: World, instance: Instance) -> None:
    for group in sorted(instance.groups):
        world.kafka.leave(group, instance)


def _switch(world: World, held: str) -> None:
    world.say("HOLD", held)
    if world.held and not held:
        watching.hold_ends(world)
    world.held, world.truth.ends_held = held, {}
