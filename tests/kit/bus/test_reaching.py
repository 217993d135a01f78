"""A Kafka that knows everybody: our clients get through, by password or certificate, and no further than told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from cli.topics import look
from contracts import acls
from contracts.events import TakeBack
from contracts.status import Lane
from contracts.topics import ALL, INTAKE, REQUESTED, RETRY, SCHEDULED, SCHEDULER, SENT, Topic
from kit.bus.admin import administrator
from kit.bus.closing import close_consumer
from kit.bus.consumer import Consumer
from kit.bus.follower import Follower
from kit.bus.publisher import Publisher, PublishFailed
from kit.bus.reaching import reaching
from kit.bus.record import Outgoing, Received
from kit.bus.served import served
from kit.bus.topics import TopicKeeper
from kit.clock import monotonic
from kit.settings import KafkaSettings
from tests.kit.bus.support import IDS, answered, finished, ids_of, joined, make, publisher, read, say, until_true
from tests.secured.certificates import Authority
from tests.secured.kafka import SecuredKafka, allow, started
from tests.servers import Session, blocking
from tests.waiting import PATIENCE

PROGRAMS = dict.fromkeys(grant.program for grant in acls.grants())
WAYS = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN", "certificate", "certificate with a locked key")


@pytest.fixture(scope="module")
def secured(session: Session) -> Iterator[SecuredKafka]:
    """Everybody may do what `tocsin topics --acls` prints."""
    users = {acls.principal(program): f"the password of {program}" for program in (*PROGRAMS, "stranger")}
    kafka = started(session, users)
    blocking(answered(lambda: allow(kafka, acls.options())))
    blocking(make(known(kafka, acls.OPERATOR), *ALL))  # what `tocsin topics --make` does
    yield kafka
    kafka.kill()


def known(secured: SecuredKafka, program: str, way: str = "SCRAM-SHA-512") -> KafkaSettings:
    """That program, as Kafka knows it."""
    name = acls.principal(program)
    if way.startswith("certificate"):
        password = "opens it" if way.endswith("locked key") else None
        mine = secured.authority.identity(name, password)
        files = {"ssl_certificate_location": mine.certificate, "ssl_key_location": mine.key}
        return secured.settings("certificate", **files, ssl_key_password=password)
    login = {"sasl_username": name, "sasl_password": secured.users[name]}
    return secured.settings("password", sasl_mechanism=way, **login)


def event(topic: Topic) -> Outgoing:
    return Outgoing(topic, TakeBack(id=IDS[0], round=1))


@pytest.mark.parametrize("way", WAYS)
async def test_every_client_of_ours_gets_through(secured: SecuredKafka, way: str) -> None:
    """Who makes topics, who publishes, who reads in a group and without one, and who asks how far a group has come."""
    intake, scheduler = known(secured, "intake", way), known(secured, "scheduler", way)
    await TopicKeeper(intake).look()
    async with administrator(scheduler) as client:
        assert {topic.name for topic in ALL} <= set(await client.list_topics())
    async with joined(Consumer(scheduler, SCHEDULER.name, [[SCHEDULED]])) as consumer:
        await say(intake, SCHEDULED, IDS[:3])
        records = await read(consumer, 3)
        await finished(consumer, records)
    assert set(IDS[:3]) <= set(ids_of(records, SCHEDULED))

    async def known_how_far() -> bool:
        return await served(intake, SCHEDULER.name, [SCHEDULED]) is not None

    await until_true(known_how_far)


async def test_hints_are_heard_without_a_group(secured: SecuredKafka) -> None:
    heard: list[Received] = []
    gateway, intake = known(secured, "gateway"), known(secured, "intake")
    await TopicKeeper(intake).look()
    follower = Follower(gateway, SCHEDULED, heard.extend)
    await follower.start()

    async def one_came() -> bool:
        await say(intake, SCHEDULED, IDS[:1])
        return bool(heard)

    await until_true(one_came)
    await follower.stop()


async def test_what_a_service_may_not_write_is_refused_and_holds_up_nothing_else(secured: SecuredKafka) -> None:
    """`retry` is the senders': intake has no business there."""
    await TopicKeeper(known(secured, "intake")).look()
    async with publisher(known(secured, "intake")) as intake:
        with pytest.raises(PublishFailed) as caught:
            await intake.publish([event(RETRY), event(SCHEDULED)])
    [(refused, error)] = caught.value.failed
    assert (refused.topic, type(error)) == (RETRY, TopicAuthorizationFailedError)


@pytest.mark.parametrize(
    ("program", "group", "topic", "error"),
    [
        ("scheduler", SCHEDULER.name, REQUESTED[Lane.NORMAL], TopicAuthorizationFailedError),
        ("email_sender", INTAKE.name, SCHEDULED, GroupAuthorizationFailedError),
        ("producer", SCHEDULER.name, SENT, GroupAuthorizationFailedError),
        ("operator", INTAKE.name, REQUESTED[Lane.NORMAL], GroupAuthorizationFailedError),
        ("stranger", INTAKE.name, REQUESTED[Lane.NORMAL], GroupAuthorizationFailedError),
    ],
)
async def test_what_a_program_may_not_read_it_does_not_get(
    secured: SecuredKafka, program: str, group: str, topic: Topic, error: type[Exception]
) -> None:
    await TopicKeeper(known(secured, "intake")).look()
    async with publisher(known(secured, "gateway")) as gateway:
        await gateway.publish([event(REQUESTED[Lane.NORMAL]), event(SENT)])
    assert type(await reading(known(secured, program), group, topic)) is error


async def reading(kafka: KafkaSettings, group: str, topic: Topic) -> Exception:
    """What the client says to who reads there all the same; AssertionError where it gives out a record."""
    client = AIOKafkaConsumer(group_id=group, auto_offset_reset="earliest", **reaching(kafka))
    await client.start()
    client.subscribe([topic.name])
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                assert not await client.getmany(timeout_ms=200)
    except KafkaError as error:
        return error
    finally:
        await close_consumer(client)


async def test_an_operator_sees_how_far_all_are_and_no_message(secured: SecuredKafka) -> None:
    await TopicKeeper(known(secured, "intake")).look()
    seen, deadline = None, monotonic() + PATIENCE
    while seen is None:
        assert monotonic() < deadline, "a Kafka that has just begun has no coordinator yet, but soon"
        with suppress(GroupCoordinatorNotAvailableError, TimeoutError):
            seen = await look(known(secured, "operator"))
    assert set(seen.partitions) == {topic.name for topic in ALL}


@pytest.mark.parametrize("wrong", ["password", "authority", "no password at all"])
async def test_who_is_not_known_or_does_not_trust_gets_nowhere_and_waits(
    secured: SecuredKafka, wrong: str, tmp_path: Path
) -> None:
    """Like a Kafka that is away: what is to be said is not acknowledged, and stays with who wants to say it."""
    good = known(secured, "intake")
    changes: dict[str, dict[str, Any]] = {
        "password": {"sasl_password": "guessed"},
        "authority": {"ssl_ca_location": Authority(tmp_path, "another").ca},
        "no password at all": {"security_protocol": "PLAINTEXT"},
    }
    out = Publisher(good.model_copy(update=changes[wrong]), "intake", deadline=3)
    await out.start()
    with pytest.raises(PublishFailed):
        await out.publish([event(SCHEDULED)])
    assert not out.ready
    await out.stop()
