"""A batch is judged in one transaction, what follows is published, and only then do its offsets move."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.model.calls import DatabaseError, KafkaError, send, transaction
from tests.model.instance import Instance
from tests.model.kafka import Consumer, Message
from tests.model.tables import Record, Said
from tests.model.world import Steps, World

Judge = Callable[[World, Sequence[Record]], list[Said] | None]
"""What follows from a batch; None: a row is locked by somebody else."""
Renew = Callable[[World, set[str]], None]
"""What is to be stored where topics were made anew, before anything of them is committed."""


def stage(
    world: World, instance: Instance, group: str, topics: Sequence[str], judge: Judge, renew: Renew | None = None
) -> Steps:
    consumer = Consumer(world.kafka, instance, group, topics)
    while True:
        batch = consumer.poll(world.dice.choice((1, 2, 4)))
        if not batch:
            yield world.dice.randint(2, 7)
            continue
        instance.busy += 1
        try:
            if not world.on("publish_first"):
                consumer.commit_past(batch)
            if renew and consumer.anew:
                yield from transaction(world, renew, world, consumer.anew)
                consumer.anew = set()
            yield from _handle(world, batch, judge)
            consumer.commit_past(batch)
        except (DatabaseError, KafkaError):
            consumer.back(batch)
            yield world.dice.randint(1, 5)
        instance.busy -= 1


def _handle(world: World, batch: Sequence[Message], judge: Judge) -> Steps:
    records = [message.record for message in batch]
    while (said := (yield from transaction(world, judge, world, records))) is None:
        yield 1
    for topic, record in said:
        yield from send(world, topic, record)
    yield 0
