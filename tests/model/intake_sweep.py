"""Intake's sweep: what is lost is said again (P3.9), and what is open long past its expiry ends (P3.7)."""

from __future__ import annotations

from tests.model import intake, watching
from tests.model.calls import DatabaseError, KafkaError, send, transaction
from tests.model.instance import Instance
from tests.model.parameters import ENDS_AFTER, SLACK, SWEEP
from tests.model.tables import IntakeRow, Said
from tests.model.world import Steps, World


def sweep(world: World, instance: Instance) -> Steps:
    while True:
        yield world.dice.randint(6, 14)
        if not world.on("sweep"):
            continue
        try:
            for topic, record in (yield from transaction(world, _lost, world)):
                yield from send(world, topic, record)
        except (DatabaseError, KafkaError):
            pass  # the next sweep finds what is left


def _lost(world: World) -> list[Said]:
    said: list[Said] = []
    for row in world.intake.rows.values():
        if row.outcome:
            continue
        overdue = world.now > row.expires + ENDS_AFTER and world.on("end_expired")
        if overdue and (row.is_waiting or not row.end):
            said += intake.end(world, row, "expired")
        elif _is_lost(world, row):
            said += _drive(world, row)
    return said


def _is_lost(world: World, row: IntakeRow) -> bool:
    since = max(row.said_at, row.at if row.is_waiting else 0)
    if row.swept_next > world.now or since + SLACK >= world.now:
        return False
    slack = SLACK if world.on("served_slack") else 0
    return not world.on("served_until") or _served(world, row) - slack > since


def _served(world: World, row: IntakeRow) -> float:
    """Up to when all have read who may have an answer to what the row said."""
    kafka, now = world.kafka, world.now
    if row.is_waiting:
        timers = kafka.served("scheduler", ["scheduled"], now)
        return min(timers, kafka.served("intake", ["requested", "requested_urgent"], now))
    says_end = row.end and world.on("end_stored")
    topic = intake.say_end(world, row)[0] if says_end else intake.lane(row)
    served = kafka.served("inbox" if row.inapp else "sender", [topic], now)
    if world.on("sweep_heard"):
        served = min(served, kafka.served("intake_outcomes", ["sent", "failed", "retry"], now))
    return served


def _drive(world: World, row: IntakeRow) -> list[Said]:
    row.sweeps += 1
    row.swept_next = world.now + SWEEP * (2**row.sweeps if world.on("doubling") else 1)
    row.said_at = world.now
    watching.swept(world, row)
    world.say("SWEEP", row.id, row.state, "n", row.sweeps)
    return intake.swept(intake.say(world, row))
