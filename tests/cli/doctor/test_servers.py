"""Troubles of Kafka, PostgreSQL and relays: each is made on a real one, and `tocsin doctor` names it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from cli.doctor.database import aged, database
from cli.doctor.relays import relays
from contracts import events as e
from contracts.topics import ALL, FAILED, SENT
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.clock import utc_now
from kit.settings import KafkaSettings, Settings, load
from tests import servers as real
from tests.cli.conftest import Done, tocsin
from tests.cli.doctor.test_by_itself import STRONG, assert_trouble, findings
from tests.cli.test_looking import make
from tests.kit.bus.support import make as make_topics
from tests.services.email_sender.mail_server import scripted
from tests.waiting import PATIENCE


async def doctor(folder: Path, nowhere: dict[str, str], **settings: str) -> Done:
    return await tocsin("doctor", "--json", settings=nowhere | settings, folder=folder)


def of(kafka: KafkaSettings, partitions: int = 3) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "KAFKA_PARTITIONS": str(partitions),
    }


# ------------------------------------------------------------------------------------------------------------- Kafka


async def test_topics_that_are_missing(folder: Path, nowhere: dict[str, str], kafka: KafkaSettings) -> None:
    await make(kafka, SENT.name, partitions=3, records=0)
    done = await doctor(folder, nowhere, **of(kafka))
    assert_trouble(done, "topics", "missing: notifications.", "more", "topics_refused")
    assert findings(done)["kafka"]["state"] == "ok"


async def test_too_few_partitions_and_a_reader_that_stands_still(
    folder: Path, nowhere: dict[str, str], kafka: KafkaSettings
) -> None:
    await make(kafka, SENT.name, partitions=2, records=5)
    done = await doctor(folder, nowhere, **of(kafka))
    assert_trouble(done, "partitions", "notifications.sent has 2 partitions instead of 3", "--alter")
    assert_trouble(done, "lag", "gateway", "stands still", "5 records behind", "tocsin status")
    more = await doctor(folder, nowhere, **of(kafka, 1))
    assert findings(more)["partitions"]["state"] == "note"


async def test_poison_of_the_last_hour(folder: Path, nowhere: dict[str, str], kafka: KafkaSettings) -> None:
    await make_topics(kafka, *ALL)
    assert findings(await doctor(folder, nowhere, **of(kafka)))["poison"]["state"] == "ok"
    publisher = Publisher(kafka, "intake", deadline=PATIENCE)
    await publisher.start()
    report = {"topic": SENT.name, "partition": 0, "offset": 1, "timestamp": utc_now(), "error": "is no JSON"}
    more = {"size": 2, "sha256": "0" * 64, "value": b"eA==", "reported_by": "gateway"}
    poison = [e.Poison.model_validate({"id": uuid4(), **report, **more}) for _ in range(3)]
    await publisher.publish([Outgoing(FAILED, one) for one in poison])
    await publisher.stop()
    done = await doctor(folder, nowhere, **of(kafka))
    assert_trouble(done, "poison", "3 records", "notifications.sent", "bytes")


# -------------------------------------------------------------------------------------------------------- PostgreSQL


async def test_a_database_that_is_well(folder: Path, nowhere: dict[str, str], database: str) -> None:
    found = findings(await doctor(folder, nowhere, DATABASE_URL=database))
    names = ("postgresql", "database version", "migrations", "roles", "clock")
    assert {name: found[name]["state"] for name in names} == dict.fromkeys(names, "ok")


async def test_a_database_that_is_not_there(folder: Path, nowhere: dict[str, str], postgres_url: str) -> None:
    done = await doctor(folder, nowhere, DATABASE_URL=real.other_database(postgres_url, "not_there"))
    assert_trouble(done, "postgresql", "not_there", "createdb")


async def test_migrations_that_are_behind(folder: Path, nowhere: dict[str, str], postgres_url: str) -> None:
    async with real.copied_database(postgres_url, "template0") as empty:
        done = await doctor(folder, nowhere, DATABASE_URL=empty)
        assert_trouble(done, "migrations", "not applied: tocsin: ", "more", "tocsin migrate")
        assert findings(done)["roles"]["state"] == "skipped"


async def test_one_migration_that_is_missing(folder: Path, nowhere: dict[str, str], database: str) -> None:
    await execute(database, "delete from gateway.migrations where name = 'gateway/0002_outbox.sql'")
    done = await doctor(folder, nowhere, DATABASE_URL=database)
    assert_trouble(done, "migrations", "not applied: gateway: gateway/0002_outbox.sql")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("revoke usage on schema intake from tocsin_intake", ("tocsin_intake may not use schema intake", "grant")),
        (
            "revoke select on gateway.notifications from tocsin_gateway",
            ("tocsin_gateway may not use gateway.notifications",),
        ),
        ("grant usage on schema gateway to tocsin_intake", ("tocsin_intake may look into gateway", "revoke")),
    ],
    ids=["closed schema", "closed table", "open to another"],
)
async def test_grants_that_are_wrong(
    folder: Path, nowhere: dict[str, str], database: str, statement: str, words: tuple[str, ...]
) -> None:
    await execute(database, statement)
    assert_trouble(await doctor(folder, nowhere, DATABASE_URL=database), "roles", *words)


async def test_a_clock_that_tests_have_moved(folder: Path, nowhere: dict[str, str], database: str) -> None:
    await execute(database, "update tocsin.clock_offset set by = interval '1 day'")
    assert_trouble(await doctor(folder, nowhere, DATABASE_URL=database), "clock", "moved by 1 day", "only tests")


async def test_clocks_that_differ(folder: Path, database: str) -> None:
    """This machine an hour ahead of the database."""
    told = {one.check: one for one in await looked_at(settings_of(folder, database), hours=1)}
    apart = re.search(r"differ by (\d+) s", told["clock"].what)
    assert told["clock"].state == "trouble" and apart
    assert 3500 < int(apart[1]) <= 3600, "less what the question took on its way"
    told = {one.check: one for one in await looked_at(settings_of(folder, database), hours=0)}
    assert told["clock"].state == "ok"


async def looked_at(settings: Settings, hours: int) -> list[object]:
    return list(await database(settings, lambda: utc_now() + timedelta(hours=hours)))


@pytest.mark.parametrize(("number", "state"), [(150_013, "trouble"), (160_000, "ok"), (180_004, "ok")])
def test_a_server_that_is_too_old(number: int, state: str) -> None:
    assert aged(number, "x").state == state


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def settings_of(folder: Path, database: str, yaml: str = "{}", **environ: str) -> Settings:
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "notifications.yml").write_text(yaml)
    known = {"JWT_SECRET": STRONG, "DATABASE_URL": database, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    return load(folder, known | {"TOCSIN_LINK_SECRET": STRONG[::-1]} | environ)


# ------------------------------------------------------------------------------------------------------------ relays


@pytest.mark.parametrize(
    ("yaml", "answers", "words"),
    [
        ("{}", {"AUTH": "535 5.7.8 bad password"}, ("login: 535 5.7.8 bad password", "SMTP_PASSWORD")),
        (
            "notifications: {email: {provider: gmail}}",
            {"AUTH": "534 5.7.9 Application-specific password required"},
            ("login: 534", "2-step verification", "app password", "docs/gmail.md"),
        ),
        ("{}", {"MAIL": "553 5.7.1 sender not owned by user"}, ("sender", "SMTP_FROM_EMAIL")),
        ("{}", {"BANNER": "drop"}, ("connection", "SMTP_HOST")),
    ],
    ids=["a wrong password", "a password of the Gmail account", "a sender that is not ours", "nobody answers"],
)
async def test_what_a_relay_says(folder: Path, yaml: str, answers: dict[str, str], words: tuple[str, ...]) -> None:
    async with scripted(answers) as relay:
        account = {"SMTP_USERNAME": "me@example.org", "SMTP_PASSWORD": "secret", "SMTP_SECURITY": "none"}
        where = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(relay.port), "SMTP_FROM_EMAIL": "me@example.org"}
        told = await relays(settings_of(folder, "postgresql://nobody@127.0.0.1:9/x", yaml, **account, **where))
    [mail] = [one for one in told if one.check.startswith("email")]
    assert mail.state == "trouble", mail
    assert all(word in f"{mail.what} {mail.remedy}" for word in words), mail
    assert [one.state for one in told if one.check == "sms console"] == ["ok"]


async def test_twilio_that_does_not_know_us(folder: Path) -> None:
    from tests.services.sms_sender.twilio_server import NUMBER, SID, twilio_server

    async with twilio_server() as twilio:
        account = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": "another", "TWILIO_FROM": NUMBER}
        where = {"SMS_PROVIDER": "twilio", "TWILIO_API_BASE": twilio.base}
        told = await relays(settings_of(folder, "postgresql://nobody@127.0.0.1:9/x", **account, **where))
    [text] = [one for one in told if one.check == "sms twilio"]
    assert text.state == "trouble" and "TWILIO_AUTH_TOKEN" in (text.remedy or ""), text
