"""A service that can be told what to do: the parts for it, added in one line of its `app.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.topics import CONTROL, CONTROL_OF
from kit.bus.consumer import Consumer
from kit.bus.fetching import CALM_MS
from kit.bus.publisher import Publisher
from kit.control.hearing import Hearing
from kit.control.heartbeat import EVERY, Heartbeat
from kit.control.instance import Instance
from kit.control.running import LEASE, RENEW, Running, Work
from kit.postgres import Database
from kit.service import Parts
from kit.settings import KafkaSettings
from kit.stage import Stage


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: how long an order belongs to whoever took it, after how many he says again that he has it, and between
    two heartbeats."""

    lease: float = LEASE
    renew: float = RENEW
    heartbeat: float = EVERY


def controlled(
    parts: Parts,
    kafka: KafkaSettings,
    database: Database,
    publisher: Publisher,
    works: Mapping[str, Work],
    pace: Pace | None = None,
    about: Callable[[], Mapping[str, Any]] = dict,
) -> None:
    """Adds them, last of all, so that they stop first. The service is ready without them.

    `works` are the commands this service knows. Switches are stored in any case; a `Switches` beside this is for who
    hands anything to a provider or a channel. `about` is what the service says of itself with every heartbeat.
    """
    instance, pace = Instance.of(parts.service), pace or Pace()
    running = parts.add("orders", Running(instance, database, publisher, works, lease=pace.lease, renew=pace.renew))
    hearing = Hearing(parts.service, works, running.wake)
    consumer = Consumer(kafka, CONTROL_OF[parts.service].name, [[CONTROL]], fetch_wait_ms=CALM_MS)
    stage = Stage("control", consumer, database, publisher, hearing, metrics=parts.metrics, after=hearing.committed)
    parts.add("control", stage, needed=False)
    beat = Heartbeat(instance, publisher, parts.health, lambda: running.now, about, every=pace.heartbeat)
    parts.add("heartbeat", beat)
