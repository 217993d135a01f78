"""The scheduler, put together: events come in and become timers, timers come due and are said."""

from contracts.topics import RETRY, SCHEDULED, SCHEDULER, SCHEDULER_SCHEDULES
from kit.bus.consumer import Consumer
from kit.bus.publisher import Publisher
from kit.bus.topics import TopicKeeper
from kit.postgres import Database
from kit.service import Loop, Parts, run
from kit.settings import Settings
from kit.stage import Stage
from kit.zone_data import edition
from services.scheduler.alarm import Alarm
from services.scheduler.counting import count_on
from services.scheduler.firing import FIRINGS, Firing
from services.scheduler.handlers.schedules import Recur
from services.scheduler.handlers.timers import Remember
from services.scheduler.recurring import Schedules, recompute_on
from services.scheduler.store.timers import BY_INDEX
from services.scheduler.waiting import Timers

NAME = "scheduler"
SCHEDULE_FIRINGS = 2


async def build(settings: Settings) -> Parts:
    """All parts of one scheduler; several may run at once, on as many machines as you like."""
    plan = settings.notifications.scheduler
    parts = Parts(NAME)
    # One connection for each firing, one to look at each shelf, one for each stage, one to count, one for health, one
    # to compute again.
    size = FIRINGS + 1 + SCHEDULE_FIRINGS + 1 + 5
    db = parts.add("postgresql", await Database.open(settings.database_url, NAME, size=size, settings=BY_INDEX))
    parts.watch("postgresql_answers", db.alive)
    parts.add("topics", TopicKeeper(settings.kafka))
    publisher = parts.add("publisher", Publisher(settings.kafka, NAME))
    alarm = Alarm()

    remember = Remember(alarm)
    consumer = Consumer(settings.kafka, SCHEDULER.name, [[SCHEDULED, RETRY]])
    parts.add("arming", Stage(NAME, consumer, db, publisher, remember, after=remember.committed, metrics=parts.metrics))

    due, zones = Alarm(), edition()
    recur = Recur(due, zones)
    told = Consumer(settings.kafka, SCHEDULER_SCHEDULES.name, [SCHEDULER_SCHEDULES.topics])
    parts.add("schedules", Stage("schedules", told, db, publisher, recur, after=recur.committed, metrics=parts.metrics))

    if plan.enabled:
        parts.add("firing", Firing(Timers(), db, publisher, alarm, parts.metrics, batch_size=plan.batch_size))
        shared = db, publisher, due, parts.metrics
        recurring = Firing(Schedules(zones), *shared, batch_size=plan.batch_size, firings=SCHEDULE_FIRINGS)
        parts.add("recurring", recurring)
        parts.add("recomputing", Loop(lambda: recompute_on(db, zones)))
    parts.add("counting", Loop(lambda: count_on(db, parts.metrics)))
    return parts


def main() -> None:
    """Be the scheduler until told to stop."""
    run(NAME, build)
