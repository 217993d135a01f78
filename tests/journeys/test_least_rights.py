"""All five services in a house that trusts nobody: each with a login of its own to Kafka and to PostgreSQL, over TLS,
and with no right but those that `tocsin topics --acls` and `tocsin migrate` give it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import certifi
import pytest
import pytest_asyncio

from cli.doctor.kafka import kafka as look_at_kafka
from client.kafka import KafkaTocsin
from client.private import Login, Tls
from contracts import acls
from contracts.topics import ALL, SERVICES
from deploy.local.ports import free_port
from kit.clock import utc_now
from kit.settings import KafkaSettings, load
from tests import servers as real
from tests.cli.conftest import tocsin
from tests.journeys.stack import Stack
from tests.journeys.test_first_journeys import *  # noqa: F403 - every one of them is made here, too
from tests.journeys.test_first_journeys import mail
from tests.journeys.test_operating import test_every_job_is_done_by_all_its_owners  # noqa: F401
from tests.kit.test_rights import own, prepared
from tests.secured.certificates import Authority
from tests.secured.kafka import SecuredKafka, allow, started
from tests.secured.postgres import SecuredPostgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROGRAMS = (*SERVICES, acls.PRODUCER, acls.OPERATOR)
PREFIX = "house."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kafka(session: real.Session) -> AsyncIterator[SecuredKafka]:
    """It allows what the command prints, and nothing else."""
    kafka = started(session, {acls.principal(program): f"{program}'s own" for program in PROGRAMS})
    named = {"KAFKA_TOPIC_PREFIX": PREFIX}
    printed = await tocsin("topics", "--acls", settings=named, folder=session.new_folder("place"))
    await allow(kafka, printed.out.splitlines())
    yield kafka
    kafka.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def postgres(session: real.Session) -> AsyncIterator[SecuredPostgres]:
    folder = session.new_folder("secured")
    postgres = session.keep(SecuredPostgres(folder / "postgres", Authority(folder)))
    postgres.start()
    await prepared(postgres)
    yield postgres
    postgres.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(session: real.Session, kafka: SecuredKafka, postgres: SecuredPostgres) -> AsyncIterator[Stack]:
    """Only the tests themselves come in by the broker's own door (`stack.kafka`)."""
    plain = KafkaSettings(bootstrap_servers=kafka.address, topic_prefix=PREFIX, partitions=3, session_timeout_ms=6000)
    rights = {service: login(kafka, service) | {"DATABASE_URL": own(postgres, service)} for service in SERVICES}
    rights["gateway"]["TOCSIN_GATEWAY_HEALTH_PORT"] = str(free_port())
    folder = session.new_folder("stack")
    async with Stack(plain, "postgresql://nobody@nowhere/", folder, session.look_after, own=rights) as stack:
        yield stack


def login(kafka: SecuredKafka, program: str) -> dict[str, str]:
    """What that program is told of Kafka."""
    name = acls.principal(program)
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.doors["password"],
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SSL_CA_LOCATION": str(kafka.authority.ca),
        "KAFKA_SASL_USERNAME": name,
        "KAFKA_SASL_PASSWORD": kafka.users[name],
    }


async def test_health_and_figures_have_a_door_of_their_own(stack: Stack) -> None:
    """Whoever reaches the API reaches neither; the other services have no other door at all."""
    [gateway] = stack.of("gateway")
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert (await stack.http.get(f"http://127.0.0.1:{gateway.health_port}{path}")).status_code == 200
        refused = await stack.http.get(stack.url + path)
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    figures = await stack.http.get(f"http://127.0.0.1:{gateway.health_port}/metrics")
    assert "tocsin_" in figures.text
    assert (await stack.http.get(f"http://127.0.0.1:{gateway.health_port}/v1/inbox")).status_code == 404


async def test_people_of_the_directory_are_reached_and_what_bounces_is_not_written_to_again(stack: Stack) -> None:
    """The compacted topics, the suppressions that intake writes, and the events of each channel."""
    put = await stack.call("PUT", "/v1/recipients/dora", user="dora", json={"email": "bounce@simulator.test"})
    assert put.status_code in (200, 201, 202), put.text
    for channel, status in (("email", "undelivered"), ("inapp", "sent")):
        asked = {"channel": channel, "user_id": "dora", "subject": "Hello", "body": "You."}
        said = await stack.post(asked, user="dora")
        await stack.wait_for(said["id"], lambda seen, status=status: seen["status"] == status)
    assert (await stack.final((await stack.post(mail("unavailable@simulator.test")))["id"]))["status"] == "failed"


async def test_a_program_with_a_login_of_its_own_publishes(stack: Stack, kafka: SecuredKafka) -> None:
    name = acls.principal(acls.PRODUCER)
    own = {"tls": Tls(ca=kafka.authority.ca), "login": Login(name, kafka.users[name])}
    async with KafkaTocsin(kafka.doors["password"], source="billing", prefix=PREFIX, **own) as billing:
        said = await billing.notify(**mail("ed@example.com"))
    await stack.wait_for(said.id, lambda seen: seen["status"] == "sent")


async def test_the_command_sees_how_far_everybody_is(stack: Stack, kafka: SecuredKafka) -> None:
    settings = login(kafka, acls.OPERATOR) | {"KAFKA_TOPIC_PREFIX": PREFIX}
    seen = await tocsin("topics", "--json", settings=settings, folder=stack.folder)
    assert seen.code == 0, seen.err
    assert {one["name"]: one["partitions"] > 0 for one in seen.json["topics"]} == {topic.name: True for topic in ALL}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"KAFKA_SASL_PASSWORD": "another's"}, "SaslAuthenticationFailed"),
        ({"KAFKA_SSL_CA_LOCATION": certifi.where()}, "certificate verify failed"),
    ],
    ids=["password", "authority"],
)
async def test_who_is_not_let_in_is_told_why(
    stack: Stack, kafka: SecuredKafka, wrong: dict[str, str], words: str
) -> None:
    """By the command, which has no log of its own, in one sentence."""
    settings = login(kafka, acls.OPERATOR) | {"KAFKA_TOPIC_PREFIX": PREFIX} | wrong
    seen = await tocsin("topics", settings=settings, folder=stack.folder)
    assert seen.code == 1 and words in seen.err and "KAFKA_SASL_*" in seen.err and seen.err.count("\n") == 1, seen.err


async def test_the_doctor_says_what_it_may_not_look_at(stack: Stack, kafka: SecuredKafka) -> None:
    """Messages are none of an operator's business; that they were not looked through is said."""
    told = login(kafka, acls.OPERATOR) | {"KAFKA_TOPIC_PREFIX": PREFIX, "KAFKA_PARTITIONS": "3"}
    found = {one.check: one for one in await look_at_kafka(load(stack.folder, told), utc_now())}
    assert {name: found[name].state for name in ("kafka", "topics", "partitions", "poison")} == {
        "kafka": "ok",
        "topics": "ok",
        "partitions": "ok",
        "poison": "skipped",
    }
    assert found["poison"].what == "tocsin_operator may not read notifications.failed"


async def test_nothing_was_refused_to_anybody_on_the_way(stack: Stack) -> None:
    """The last one here: what all the others made the services do, they were allowed to do."""
    for instance in stack.instances:
        lines = instance.log.read_text().splitlines()
        assert [line for line in lines if "authoriz" in line.lower() or "permission denied" in line.lower()] == []
