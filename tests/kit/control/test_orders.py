"""The fates of an order: done once by whoever is there, answered, and never lost with the one who took it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from contracts import events as e
from contracts.topics import CONTROL, CONTROL_OF, SERVICES
from kit.bus.publisher import Publisher, PublishFailed
from kit.bus.record import Outgoing
from kit.control import store
from kit.control.instance import Instance
from kit.control.running import TRIES, Running
from kit.control.switches import Switches
from kit.postgres import Database
from kit.settings import KafkaSettings
from tests.kit.control.support import QUICK, Ear, instance, order
from tests.waiting import PATIENCE, eventually


class Sweeping:
    """A work that counts how often it is done, and can be held up."""

    def __init__(self) -> None:
        self.args: list[Mapping[str, Any]] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    @property
    def times(self) -> int:
        return len(self.args)

    async def __call__(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        self.args.append(args)
        await self.may_end.wait()
        return {"driven": 3}


async def test_p9_done_once_although_two_instances_listen(
    kafka: KafkaSettings, database: str, ear: Ear, voice: Publisher
) -> None:
    """Twenty orders, some said twice: each is done by one of the two, and answered once."""
    sweeping = Sweeping()
    async with instance(kafka, database, {"sweep": sweeping}), instance(kafka, database, {"sweep": sweeping}):
        ids = [await order(voice, "sweep", n=n) for n in range(20)]
        again = e.Control(correlation_id=ids[0], command="sweep")
        await voice.publish([Outgoing.of(again)])
        # Both may announce an end before either knows that it was announced: it is one event, by its id.
        ends = [(await ear.hear(id, "done"))[0] for id in ids]
        last = await order(voice, "sweep", n=20)
        await ear.hear(last, "done")
    assert {one.ce_id for one in ear.of(None, "done")} == {one.ce_id for one in [*ends, *ear.of(last, "done")]}
    assert sorted(args["n"] for args in sweeping.args) == list(range(21))
    assert ends[0].result["driven"] == 3 and ends[0].command == "sweep" and ends[0].service == "intake"


async def test_one_that_is_being_done_is_left_alone(
    kafka: KafkaSettings, database: str, ear: Ear, voice: Publisher
) -> None:
    """For as long as that takes: its lease is renewed, while the other instance looks for orders again and again."""
    sweeping, pace = Sweeping(), replace(QUICK, renew=0.2)
    sweeping.may_end.clear()
    works = {"sweep": sweeping, "probe": Sweeping()}
    async with instance(kafka, database, works, pace=pace), instance(kafka, database, works, pace=pace):
        id = await order(voice, "sweep")
        await eventually(lambda: sweeping.times == 1)
        ends = {await _taken_until(database)}
        async with asyncio.timeout(PATIENCE):
            while len(ends) < 4:
                await ear.hear(await order(voice, "probe"), "done")
                ends.add(await _taken_until(database))
        sweeping.may_end.set()
        await ear.hear(id, "done")
    assert sweeping.times == 1


async def _taken_until(database: str) -> datetime:
    """When the lease of the one order to sweep ends."""
    owner = await asyncpg.connect(database)
    try:
        until = await owner.fetchval("select taken_until from intake.orders where command = 'sweep'")
    finally:
        await owner.close()
    assert isinstance(until, datetime)
    return until


async def test_p9_ordered_while_nobody_is_there(
    kafka: KafkaSettings, database: str, ear: Ear, voice: Publisher
) -> None:
    """Kafka keeps it: whoever comes does it."""
    id = await order(voice, "sweep")
    async with instance(kafka, database, {"sweep": Sweeping()}):
        await ear.hear(id, "done")


async def test_stopped_in_the_middle_it_is_left_to_the_next_one(
    kafka: KafkaSettings, database: str, ear: Ear, voice: Publisher
) -> None:
    """At once, without waiting for the end of a lease; and that costs it none of its tries."""
    held, free = Sweeping(), Sweeping()
    held.may_end.clear()
    id = await order(voice, "sweep")
    for _ in range(TRIES + 1):
        async with instance(kafka, database, {"sweep": held}):
            before = held.times
            await eventually(lambda before=before: held.times > before)  # type: ignore[misc]
    async with instance(kafka, database, {"sweep": free}):
        [ended] = await ear.hear(id, "done", "failed")
    assert ended.state == "done"


async def test_p9_an_instance_that_dies_over_it_leaves_it_to_the_next(
    kafka: KafkaSettings, database: str, ear: Ear
) -> None:
    """Its lease ends, and somebody else does it; an order that everybody dies of is given up with a reason."""
    db, sweeping, once, always = await Database.open(database, "intake"), Sweeping(), _an_order(), _an_order()
    async with db.connection() as connection:
        await store.write_down(connection, [once])
        taken = await store.take(connection, token := uuid4(), "one that dies", PATIENCE)
        assert taken and taken.correlation_id == once.correlation_id
        await store.write_down(connection, [always])
        for _ in range(TRIES):
            taken = await store.take(connection, uuid4(), "one that dies", 0.0)
            assert taken and taken.correlation_id == always.correlation_id
        assert await store.hold(connection, once, token, 0.0)
    async with instance(kafka, database, {"sweep": sweeping}):
        await ear.hear(once.correlation_id, "done")
        [failed] = await ear.hear(always.correlation_id, "failed")
    assert "given up" in failed.result["error"] and sweeping.times == 1
    await db.close()


async def test_one_that_fails_is_tried_again_and_then_given_up(
    kafka: KafkaSettings, database: str, ear: Ear, voice: Publisher
) -> None:
    times = 0

    async def broken(_: Mapping[str, Any]) -> Mapping[str, Any]:
        nonlocal times
        times += 1
        raise RuntimeError("of alice@example.org")

    async with instance(kafka, database, {"sweep": broken}):
        [ended] = await ear.hear(await order(voice, "sweep"), "failed")
    assert (ended.result, times) == ({"error": "RuntimeError"}, TRIES)


async def test_an_end_that_was_not_announced_is_announced_by_the_next(
    kafka: KafkaSettings, database: str, ear: Ear
) -> None:
    """Kafka was away when it ended: the answer is stored with the end."""
    db = await Database.open(database, "intake")
    away = Publisher(KafkaSettings(bootstrap_servers="127.0.0.1:1"), "intake", deadline=0.2)
    alone = Running(Instance.of("intake"), db, away, {"sweep": Sweeping()})
    one = _an_order()
    async with db.connection() as connection:
        await store.write_down(connection, [one])
    with pytest.raises(PublishFailed):
        await alone.once()
    async with instance(kafka, database, {}):
        [ended] = await ear.hear(one.correlation_id, "done")
    assert ended.result["driven"] == 3
    await db.close()


async def test_what_is_addressed_to_us_and_unknown_is_answered(
    kafka: KafkaSettings, database: str, ear: Ear, voice: Publisher
) -> None:
    """By name: with what there is. What nobody named is left to whoever knows it."""
    async with instance(kafka, database, {"sweep": Sweeping()}):
        elsewhere = await order(voice, "sweep", service="gateway")
        unknown = await order(voice, "dance")
        [answer] = await ear.hear(await order(voice, "dance", service="intake"), "failed")
    assert answer.result["error"] == "intake knows pause, resume, sweep"
    assert not ear.of(elsewhere, "running", "done", "failed") and not ear.of(unknown, "running", "done", "failed")


async def test_p9_a_pause_is_remembered_over_restarts(
    kafka: KafkaSettings, database: str, ear: Ear, voice: Publisher
) -> None:
    """Every instance sees it, also one that starts later, and the resume as well."""
    db = await Database.open(database, "email_sender")
    switches, later = Switches(db), Switches(db)
    await switches.start()
    async with instance(kafka, database, {}, "email_sender"):
        await ear.hear(await order(voice, "pause", service="email_sender", provider="smtp"), "done")
        await eventually(lambda: switches.is_paused("provider", "smtp"))
    await later.start()
    assert later.is_paused("provider", "smtp") and not later.is_paused("provider", "gmail")
    async with instance(kafka, database, {}, "email_sender"):
        [told] = await ear.hear(await order(voice, "resume", service="email_sender", provider="smtp"), "done")
        await eventually(lambda: not switches.is_paused("provider", "smtp"))
        await eventually(lambda: not later.is_paused("provider", "smtp"))
    assert told.result["paused"] is False
    for one in (switches, later):
        await one.stop()
    await db.close()


async def test_a_pause_of_nothing_is_answered_with_what_helps(
    kafka: KafkaSettings, database: str, ear: Ear, voice: Publisher
) -> None:
    async with instance(kafka, database, {}, "email_sender"):
        [told] = await ear.hear(await order(voice, "pause", service="email_sender"), "failed")
    assert "args {provider: NAME}" in told.result["error"]


async def test_only_a_newer_word_turns_a_switch(database: str) -> None:
    """What is read again after a rewind changes nothing back."""
    db = await Database.open(database, "sms_sender")
    at = _an_order().ordered_at
    said = [store.Switch("channel", "sms", paused, at, offset) for offset, paused in enumerate((True, False, True))]
    async with db.connection() as connection:
        for some in ([said[2]], [said[1]], [said[0], said[1]]):
            await store.turn(connection, some)
            assert await store.paused(connection) == {("channel", "sms")}
    await db.close()


async def test_heartbeats_and_a_goodbye(kafka: KafkaSettings, database: str, ear: Ear, voice: Publisher) -> None:
    """Who is there says so again and again, what it does, and that it goes."""
    sweeping = Sweeping()
    sweeping.may_end.clear()
    async with instance(kafka, database, {"sweep": sweeping}) as parts:
        await order(voice, "sweep")
        await eventually(lambda: sweeping.times == 1)
        async with asyncio.timeout(PATIENCE):  # some that are heard now were said before the order came
            while not (at_work := [one for one in ear.of(None, "alive") if one.result["running"]]):
                await ear.listen()
        await ear.hear(None, "alive", count=len(ear.of(None, "alive")) + 3)
        busy = at_work[0]
        assert busy.result["running"] == ["sweep"] and busy.service == parts.service
        sweeping.may_end.set()
    [goodbye] = await ear.hear(None, "stopped")
    assert goodbye.correlation_id == Instance.of("intake").heartbeat_id == busy.correlation_id
    assert QUICK.heartbeat < 1 and goodbye.result["pid"]


def test_p9_the_topic_is_read_by_a_group_of_each_service() -> None:
    assert CONTROL_OF.keys() == set(SERVICES) == set(CONTROL.readers)


def _an_order() -> store.Order:
    return store.Order(uuid4(), "sweep", {}, datetime(2027, 3, 1, 12, tzinfo=UTC))
