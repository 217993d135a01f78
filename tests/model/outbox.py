"""What the gateway sees to: its outbox, what it asks intake for (P6.1), and that both count alike (P9)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from enum import Enum

from tests.model import watching
from tests.model.calls import DatabaseError, KafkaError, send, transaction
from tests.model.gateway import read_row
from tests.model.instance import Instance
from tests.model.parameters import ASKS_AFTER, DAY, GROUP, SLACK, SWEEP
from tests.model.tables import Entry, OutboxRow, ReadRow, Record, requested
from tests.model.world import Steps, World


class Answer(Enum):
    """What a client gets where no row of the outbox is made for it."""

    KNOWN = "202, as before"
    CONFLICT = "422"
    NONE = "no answer"


def accept(world: World, record: Record) -> OutboxRow | Answer:
    """POST, PATCH or DELETE: one INSERT; 202, or 422 for the same key with another body."""
    id = record["id"]
    if record["type"] == "request":
        for row in world.gateway.commands(id):
            if row.record["type"] == "request":
                return Answer.KNOWN if row.record["body"] == record["body"] else Answer.CONFLICT
        read_row(world, id, record["expires"]).timeline.append(Entry("request"))
    else:
        edits = sum(row.record["type"] != "request" for row in world.gateway.commands(id))
        record = {**record, "edit": 1 + edits}
        if record["type"] == "cancel":
            world.gateway.cancelled.add(id)
    row = OutboxRow({**record, "accepted_at": world.now}, published_at=world.now)
    world.gateway.outbox.append(row)
    return row


def ask(world: World, record: Record) -> Generator[int, None, OutboxRow | Answer]:
    """A client that repeats itself (same key) until it has an answer; of its commands it may not."""
    for _ in range(60):
        up = world.up("gateway")
        if up:
            instance = world.dice.choice(up)
            life = instance.life
            try:
                answer = yield from transaction(world, accept, world, record)
                if instance.alive and instance.life == life:
                    if isinstance(answer, OutboxRow):
                        world.spawn(instance, _publish(world, answer))
                    return answer
            except DatabaseError:
                pass
            if record["type"] != "request" and world.dice.random() < 0.5:
                return Answer.NONE
        yield world.dice.randint(2, 8)
    return Answer.NONE


def _publish(world: World, row: OutboxRow) -> Steps:
    record: Record = {**row.record, "again": True} if row.sweeps else row.record
    try:
        yield from send(world, requested(record), record)
        yield from transaction(world, _mark_published, world, row)
    except (DatabaseError, KafkaError):
        pass  # the sweep finds it


def _mark_published(world: World, row: OutboxRow) -> None:
    row.published, row.published_at = True, world.now


def sweep(world: World, instance: Instance) -> Steps:
    """P6.1: what is not published, or has no answer although intake has read it; and what is open for too long."""
    while True:
        yield world.dice.randint(5, 12)
        for row in list(world.gateway.outbox):
            if not row.published:
                if world.on("outbox"):
                    yield from _publish(world, row)
            elif _is_unanswered(world, row):
                row.sweeps += 1
                row.swept_next = world.now + SWEEP * 2**row.sweeps
                watching.published_again(world, row)
                world.say("GATEWAY SWEEP", row.record["type"], row.record["id"])
                yield from _publish(world, row)
        for id, shown in list(world.gateway.shown.items()):
            if _must_ask(world, shown):
                yield from _ask_intake(world, id, shown)


def _is_unanswered(world: World, row: OutboxRow) -> bool:
    if not world.on("answered") or row.answered or row.swept_next > world.now:
        return False
    return world.kafka.served("intake", [requested(row.record)], world.now) - SLACK > row.published_at


def _must_ask(world: World, row: ReadRow) -> bool:
    if row.is_final:
        return False
    is_late = world.now > row.expires + ASKS_AFTER and row.asks_next <= world.now
    return (row.asks and world.on("ask_anew")) or (is_late and world.on("ask_late"))


def _ask_intake(world: World, id: int, row: ReadRow) -> Steps:
    try:
        world.say("GATEWAY ASKS", id)
        yield from send(world, "requested", {"id": id, "type": "again"})
        yield from transaction(world, _mark_asked, world, row)
    except (DatabaseError, KafkaError):
        pass  # it is asked again


def _mark_asked(world: World, row: ReadRow) -> None:
    row.asks, row.asked = False, row.asked + 1
    row.asks_next = world.now + SWEEP * 2**row.asked


def reconcile(world: World, instance: Instance) -> Steps:
    """P9: the counts of what is over are compared while nobody lags; where they differ it asks for all of the day."""
    asked = 0
    while True:
        yield world.dice.randint(60, 80) * 2**asked
        if world.on("reconcile") and _nobody_lags(world) and _over_at_intake(world) != _over_here(world):
            world.say("RECONCILE")
            asked += 1
            with suppress(KafkaError):  # they will differ again
                yield from send(world, "requested", {"id": DAY, "type": "again"})


def _nobody_lags(world: World) -> bool:
    groups = world.kafka.groups
    return all(
        world.kafka.has_no_lag(name, groups[name].topics)
        for name in ("gateway", "intake", "intake_outcomes")
        if name in groups
    )


def _over_at_intake(world: World) -> int:
    intake = world.intake
    stubs = sum(one.cancelled and id not in intake.rows for id, one in intake.remembered.items())
    return stubs + sum(row.outcome is not None for row in intake.rows.values())


def _over_here(world: World) -> int:
    return sum(row.is_final for id, row in world.gateway.shown.items() if id < GROUP)
