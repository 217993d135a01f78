"""The scheduler, put together: events come in and become timers, timers come due and are said."""

import os
from collections.abc import Callable

from contracts.topics import (
    DEADLINES,
    RECIPIENTS,
    RETRY,
    SCHEDULED,
    SCHEDULER,
    SCHEDULER_ANSWERS,
    SCHEDULER_DEADLINES,
    SCHEDULER_SCHEDULES,
    SETTINGS,
)
from kit.bus.consumer import Consumer
from kit.bus.fetching import CALM_MS
from kit.bus.publisher import Publisher
from kit.bus.topics import TopicKeeper
from kit.control.controlled import controlled
from kit.postgres import Database
from kit.restored import CATCHING_UP, CatchingUp
from kit.service import Parts, Repeating, run
from kit.settings import Settings
from kit.stage import Stage
from kit.tracing import tracer_of
from kit.zone_data import edition
from services.scheduler.alarm import Alarm
from services.scheduler.counting import Counting
from services.scheduler.firing import FIRINGS, Firing
from services.scheduler.handlers import answers, jobs
from services.scheduler.handlers.deadlines import Follow
from services.scheduler.handlers.schedules import Recur
from services.scheduler.handlers.timers import Remember
from services.scheduler.hearing import Hearing
from services.scheduler.reckoning import Reckoning
from services.scheduler.shelves.considering import Considering
from services.scheduler.shelves.deadlines import Deadlines
from services.scheduler.shelves.schedules import RECOMPUTE_EVERY, Schedules, recompute
from services.scheduler.shelves.timers import Timers
from services.scheduler.store.timers import BY_INDEX
from services.scheduler.timing import Timing, plans_of

NAME = "scheduler"
SCHEDULE_FIRINGS = 2
DEADLINE_FIRINGS = 2
APART = 1
"""Firings at a time of what Kafka has not acknowledged: they may wait, and hold up nobody else."""


async def build(settings: Settings) -> Parts:
    """All parts of one scheduler; several may run at once, on as many machines as you like."""
    plan = settings.notifications.scheduler
    parts = Parts(NAME)
    tracer = parts.add("traces", tracer_of(NAME, os.environ))
    # One connection for each firing, one to look at each shelf, one for each stage, one each to count, for health, and
    # to compute again, two for jobs.
    connections = (FIRINGS + APART + SCHEDULE_FIRINGS + DEADLINE_FIRINGS + 4) + 4 + 3 + 2
    db = parts.add("pool", await Database.open(settings.database_url, NAME, size=connections, settings=BY_INDEX))
    parts.watch("postgresql", db.alive)
    parts.add("topics", TopicKeeper(settings.kafka))
    catching_up = parts.add(CATCHING_UP, CatchingUp(db, settings.kafka, parts.metrics))
    parts.health.degraded_while(CATCHING_UP, lambda: not catching_up.over)
    publisher = parts.add("publisher", Publisher(settings.kafka, NAME))
    timers_alarm, schedules_alarm, deadlines_alarm = Alarm(), Alarm(), Alarm()
    zones = edition()

    timer_reader = Consumer(settings.kafka, SCHEDULER.name, [[SCHEDULED, RETRY]])
    schedule_reader = Consumer(
        settings.kafka, SCHEDULER_SCHEDULES.name, [SCHEDULER_SCHEDULES.topics], fetch_wait_ms=CALM_MS
    )
    # Zones and plans before the deadlines that go by them.
    deadline_reader = Consumer(
        settings.kafka, SCHEDULER_DEADLINES.name, [[RECIPIENTS, SETTINGS], [DEADLINES]], fetch_wait_ms=CALM_MS
    )
    for name, stage, consumer, handle, alarm in (
        ("arming", NAME, timer_reader, Remember(timers_alarm), timers_alarm),
        ("schedules", "schedules", schedule_reader, Recur(schedules_alarm, zones), schedules_alarm),
        ("following", "deadlines", deadline_reader, Follow(deadlines_alarm), deadlines_alarm),
    ):
        after = alarm.committed
        parts.add(
            name, Stage(stage, consumer, db, publisher, handle, after=after, metrics=parts.metrics, tracer=tracer)
        )

    here = settings.notifications.default_time_zone, settings.notifications.daily_report_at
    considering = Considering(*here)

    schedules_heard = Hearing(settings.kafka, SCHEDULER_SCHEDULES)
    deadlines_heard = Hearing(settings.kafka, SCHEDULER_DEADLINES)

    def at_once() -> bool:
        """What a timer says is judged by intake, which knows what was cancelled."""
        return catching_up.over

    def having(heard: Hearing) -> Callable[[], bool]:
        return lambda: catching_up.over and heard.may_fire()

    shared, size = (db, publisher), plan.batch_size
    firings = {
        name: Firing(shelf, *shared, alarm, parts.metrics, batch_size=size, firings=most, may_fire=may_fire)
        for name, shelf, alarm, most, may_fire in (
            ("firing", Timers(tracer=tracer), timers_alarm, FIRINGS, at_once),
            ("firing_again", Timers(put_back=True, tracer=tracer), Alarm(), APART, at_once),
            ("recurring", Schedules(zones, tracer), schedules_alarm, SCHEDULE_FIRINGS, having(schedules_heard)),
            ("reminding", Deadlines(considering, tracer), deadlines_alarm, DEADLINE_FIRINGS, having(deadlines_heard)),
        )
    }
    if plan.enabled:
        parts.add("reckoning", Reckoning(db, zones, *here))
        parts.add("schedules_heard", schedules_heard)
        parts.add("deadlines_heard", deadlines_heard)
        for name, firing in firings.items():
            parts.add(name, firing)
        parts.add("recomputing", Repeating("recomputing", lambda: recompute(db, zones), RECOMPUTE_EVERY))
    counting = parts.add("counting", Counting(db, parts.metrics))

    answer_reader = Consumer(settings.kafka, SCHEDULER_ANSWERS.name, [SCHEDULER_ANSWERS.topics], fetch_wait_ms=CALM_MS)
    answering = Stage("answers", answer_reader, db, publisher, answers.hear, metrics=parts.metrics, reporter=False)
    parts.add("answers", answering, needed=False)
    parts.add("timing", Timing(db, publisher, plans_of(settings)))
    at_work = firings if plan.enabled else {}
    zone = settings.notifications.default_time_zone
    works = jobs.Works(db, [*at_work.values()], at_work.get("reminding"), zone, parts.metrics)
    controlled(parts, settings.kafka, db, publisher, works.by_name(), about=counting.about)
    return parts


def main() -> None:
    """Be the scheduler until told to stop."""
    run(NAME, build)
