"""What services call: PostgreSQL and Kafka. Either may fail them, and leave open what became of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import ParamSpec, TypeVar

from tests.model import watching
from tests.model.tables import Record
from tests.model.world import Steps, World

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class DatabaseError(Exception):
    """No connection, or none any more."""


class KafkaError(Exception):
    """Not acknowledged."""


def transaction(
    world: World, act: Callable[Asked, Answer], *args: Asked.args, **kwargs: Asked.kwargs
) -> Generator[int, None, Answer]:
    """A serialisable one. Its caller may die before it or after it, or not hear of its commit."""
    yield 0
    if world.hit("dbdown"):
        raise DatabaseError
    answer = act(*args, **kwargs)
    if world.hit("acklost"):
        raise DatabaseError
    yield 0
    return answer


def send(world: World, topic: str, record: Record) -> Steps:
    """Raises KafkaError when it is not acknowledged: it may be written all the same, now or later."""
    yield 0
    if world.hit("senderr"):
        fate = world.dice.random()
        if fate < 0.4:
            append(world, topic, record)
        elif fate < 0.4 + world.knobs["sendlate"] / 2:
            world.spawn(None, _append_late(world, topic, record), world.dice.randint(1, 60))
        raise KafkaError
    append(world, topic, record)
    if world.trace is not None:
        world.say("  ->", topic, {key: value for key, value in record.items() if value not in (None, 0, "")})
    if world.hit("senddup"):
        append(world, topic, record)
    yield 0


def append(world: World, topic: str, record: Record) -> None:
    watching.published(world, topic, record)
    world.kafka.append(topic, record, world.now)


def _append_late(world: World, topic: str, record: Record) -> Steps:
    append(world, topic, record)
    yield 0
