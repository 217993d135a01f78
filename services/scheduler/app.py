"""The scheduler, put together: events come in and become timers, timers come due and are said."""

from contracts.topics import RETRY, SCHEDULED, SCHEDULER
from kit.bus.consumer import Consumer
from kit.bus.publisher import Publisher
from kit.bus.topics import TopicKeeper
from kit.postgres import Database
from kit.service import Loop, Parts, run
from kit.settings import Settings
from kit.stage import Stage
from services.scheduler.alarm import Alarm
from services.scheduler.counting import count_on
from services.scheduler.firing import FIRINGS, Firing
from services.scheduler.handlers.timers import Remember
from services.scheduler.store.timers import BY_INDEX
from services.scheduler.waiting import Timers

NAME = "scheduler"


async def build(settings: Settings) -> Parts:
    """All parts of one scheduler; several may run at once, on as many machines as you like."""
    plan = settings.notifications.scheduler
    parts = Parts(NAME)
    # One connection for each firing, one to look, one for the stage, one to count, one for health.
    size = FIRINGS + 4
    db = parts.add("postgresql", await Database.open(settings.database_url, NAME, size=size, settings=BY_INDEX))
    parts.watch("postgresql_answers", db.alive)
    parts.add("topics", TopicKeeper(settings.kafka))
    publisher = parts.add("publisher", Publisher(settings.kafka, NAME))
    alarm = Alarm()

    remember = Remember(alarm)
    consumer = Consumer(settings.kafka, SCHEDULER.name, [[SCHEDULED, RETRY]])
    parts.add("arming", Stage(NAME, consumer, db, publisher, remember, after=remember.committed, metrics=parts.metrics))

    if plan.enabled:
        parts.add("firing", Firing(Timers(), db, publisher, alarm, parts.metrics, batch_size=plan.batch_size))
    parts.add("counting", Loop(lambda: count_on(db, parts.metrics)))
    return parts


def main() -> None:
    """Be the scheduler until told to stop."""
    run(NAME, build)
