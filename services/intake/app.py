"""Intake, put together: read it from top to bottom."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, NoReturn

from contracts.topics import INTAKE, INTAKE_DIRECTORY, INTAKE_OUTCOMES, RECIPIENTS, REQUESTED, SETTINGS, Group
from kit.bus.consumer import Consumer
from kit.bus.fetching import CALM_MS
from kit.bus.gathering import Gathering
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.bus.served import served, served_by_topic
from kit.bus.topics import TopicKeeper
from kit.control.controlled import controlled
from kit.pacing import Growing
from kit.postgres import Database
from kit.restored import CATCHING_UP, CatchingUp
from kit.service import Parts, Repeating, run
from kit.settings import KafkaSettings, Settings
from kit.stage import Stage
from kit.tracing import tracer_of
from services.intake.handlers import directory, jobs, outcomes
from services.intake.handlers.erasing import Erasing
from services.intake.handlers.groups import ends_a_group
from services.intake.handlers.judge import Judge
from services.intake.loops.counting import Counts
from services.intake.loops.directory_watch import DirectoryWatch
from services.intake.loops.group_ends import GroupEnds
from services.intake.loops.retelling import Retelling
from services.intake.loops.sweep import Served, Sweep
from services.intake.loops.usage import Forgetting
from services.intake.settings import BATCH, LARGE_BATCH, Pauses, policy_of, remembered, sweep_pace_of, sweeps

NAME: Final = "intake"


def main() -> NoReturn:
    """`python -m services.intake`"""
    run(NAME, build)


async def build(settings: Settings, environ: Mapping[str, str] = os.environ) -> Parts:
    """All parts of one intake in the order they start; several may run at once."""
    kafka, pauses, policy, parts = settings.kafka, Pauses.of(settings), policy_of(settings), Parts(NAME)
    tracer = parts.add("traces", tracer_of(NAME, environ))

    database = parts.add("pool", await Database.open(settings.database_url, NAME))
    parts.watch("postgresql", database.alive)
    parts.add("topics", TopicKeeper(kafka))
    # Nobody waits for intake to know that a mail is sent; a transaction for two outcomes is as dear as one for fifty.
    outcome_reader = Gathering(kafka, INTAKE_OUTCOMES.name, [INTAKE_OUTCOMES.topics], fetch_wait_ms=CALM_MS)
    catching_up = parts.add(
        CATCHING_UP, CatchingUp(database, kafka, parts.metrics, partial(hear_in_turn, outcome_reader))
    )
    parts.health.degraded_while(CATCHING_UP, lambda: not catching_up.over)
    publisher = parts.add("publisher", Publisher(kafka, NAME))

    watch = DirectoryWatch(lambda: served(kafka, INTAKE_DIRECTORY.name, (RECIPIENTS, SETTINGS)))
    group_ends = Repeating("group_ends", GroupEnds(database, publisher, parts.metrics).once, pauses.group_ends)
    retelling = Retelling(database, publisher)
    judge = Judge(policy, watch, retelling.ask, parts.metrics, catching_up.reads_again)

    def after(said: Sequence[Outgoing]) -> None:
        if ends_a_group(said):
            group_ends.wake()

    request_reader = Consumer(kafka, INTAKE.name, [[topic] for topic in REQUESTED.values()])
    directory_reader = Consumer(kafka, INTAKE_DIRECTORY.name, [INTAKE_DIRECTORY.topics], fetch_wait_ms=CALM_MS)
    shared = database, publisher
    parts.add("directory", Stage("directory", directory_reader, *shared, directory.project, metrics=parts.metrics))
    parts.add("outcomes", Stage("outcomes", outcome_reader, *shared, outcomes.hear, metrics=parts.metrics))
    batch = Growing(BATCH, LARGE_BATCH)
    judging = Stage(
        "judge", request_reader, *shared, judge.handle, metrics=parts.metrics, batch=batch, after=after, tracer=tracer
    )
    parts.add("judge", judging)

    parts.add("group_ends", group_ends)
    parts.add("retelling", Repeating("retelling", retelling.once, pauses.retelling))
    parts.add("directory_watch", Repeating("directory_watch", watch.once, pauses.directory))
    parts.add("counts", Repeating("counts", Counts(database, publisher, parts.metrics).once, pauses.counts))
    parts.add("usage", Repeating("usage", Forgetting(database).once, pauses.usage))
    sweep = Sweep(
        database, publisher, served_by(kafka), policy, parts.metrics, sweep_pace_of(settings), lambda: catching_up.over
    )
    if sweeps(environ):
        parts.add("sweep", Repeating("sweep", sweep.once, pauses.sweep))
    erasing, kept = Erasing(database, publisher), remembered(settings)
    controlled(parts, kafka, database, publisher, jobs.works(database, sweep, erasing, parts.metrics, kept))
    return parts


def hear_in_turn(outcome_reader: Consumer, catching_up: CatchingUp) -> None:
    """After a restore outcomes are heard when the rows are there that they end: of an id that nobody knows, none is
    kept, and what was sent in a digest would be gathered into another one (P9)."""
    (outcome_reader.resume if catching_up.is_over_for(INTAKE) else outcome_reader.pause)(INTAKE_OUTCOMES.topics)


def served_by(kafka: KafkaSettings) -> Served:
    """Who asks Kafka how far a group has come on each of its topics."""

    async def ask(group: Group) -> Mapping[str, datetime | None]:
        return await served_by_topic(kafka, group.name, group.topics)

    return ask
