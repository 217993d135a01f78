"""Commands that look at the installation: settings, topics, database, tokens."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from cli.topics import lag
from contracts.topics import ALL, GROUPS, SENT
from kit.settings import KafkaSettings
from tests import servers as real
from tests.cli.conftest import tocsin

SECRET = "a secret of this test, long enough for HS256"


async def test_a_token_is_printed_alone_and_says_who_it_names(folder: Path) -> None:
    settings = {"JWT_SECRET": SECRET, "JWT_ISSUER": "house", "JWT_AUDIENCE": "guests"}
    done = await tocsin("token", "--user", "alice", "--service", "--tenant", "acme", settings=settings, folder=folder)
    assert (done.code, done.out.count("\n"), done.err) == (0, 1, "")
    claims = jwt.decode(done.out.strip(), SECRET, algorithms=["HS256"], issuer="house", audience="guests")
    assert (claims["sub"], claims["roles"], claims["tenant"]) == ("alice", ["service"], "acme")
    assert claims["exp"] - claims["iat"] == 24 * 3600


async def test_a_token_as_json_says_until_when(folder: Path) -> None:
    done = await tocsin("token", "--user", "alice", "--json", settings={"JWT_SECRET": SECRET}, folder=folder)
    assert (done.json["user"], done.json["role"], done.json["tenant"]) == ("alice", "user", "default")
    assert "expires_at" in done.json


@pytest.mark.parametrize(
    ("begun", "completed"),
    [("tocsin sche", "schedule"), ("tocsin template im", "import"), ("tocsin send --chan", "--channel")],
)
async def test_the_shell_completes_commands_and_options(folder: Path, begun: str, completed: str) -> None:
    asked = {"_TOCSIN_COMPLETE": "complete_bash", "COMP_WORDS": begun, "COMP_CWORD": str(begun.count(" "))}
    assert (await tocsin(settings=asked, folder=folder)).out.split() == [completed]


@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        (("--user", "alice"), {}, "JWT_SECRET is not set"),
        (("--user", "alice"), {"JWT_JWKS_URL": "https://id.example.org/keys"}, "tokens are signed elsewhere here"),
        (("--user", "a", "--admin", "--service"), {"JWT_SECRET": SECRET}, "--admin and --service are two roles"),
        (("--user", ""), {"JWT_SECRET": SECRET}, "--user names nobody: give 1 to 200 characters"),
        (("--user", "a", "--tenant", "a/b"), {"JWT_SECRET": SECRET}, "--tenant names nobody"),
    ],
)
async def test_a_token_that_would_not_be_taken_is_not_made(
    folder: Path, arguments: tuple[str, ...], settings: dict[str, str], sentence: str
) -> None:
    done = await tocsin("token", *arguments, settings=settings, folder=folder)
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err


async def test_the_settings_in_force_hide_secrets(folder: Path) -> None:
    settings = {"JWT_SECRET": SECRET, "SMTP_HOST": "127.0.0.1", "SMTP_PASSWORD": "hush-hush", "SMTP_USERNAME": "me"}
    for more in ((), ("--json",)):
        done = await tocsin("config", "show", *more, settings=settings, folder=folder)
        assert done.code == 0, done.err
        assert "***" in done.out and SECRET not in done.out and "hush-hush" not in done.out


async def test_good_settings_are_good(folder: Path) -> None:
    done = await tocsin("config", "check", settings={}, folder=folder)
    assert (done.code, done.out) == (0, f"The settings of {folder} are good.\n")
    done = await tocsin("config", "check", "--json", settings={}, folder=folder)
    assert done.json == {"ok": True, "problems": [], "warnings": []}


async def test_wrong_settings_are_named_with_the_nearest_key(folder: Path) -> None:
    (folder / "config").mkdir()
    (folder / "config" / "notifications.yml").write_text("notifications: {emial: {enabled: true}}")
    done = await tocsin("config", "check", settings={}, folder=folder)
    assert done.code == 1 and "emial" in done.out and "email" in done.out
    done = await tocsin("config", "check", "--json", settings={}, folder=folder)
    assert (done.code, done.json["ok"], len(done.json["problems"])) == (1, False, 1)


async def test_the_database_is_brought_up_to_date_once(folder: Path, postgres_url: str) -> None:
    async with real.copied_database(postgres_url, "template0") as url:
        first = await tocsin("migrate", "--json", settings={"DATABASE_URL": url}, folder=folder)
        assert first.code == 0, first.err
        assert any(name.startswith("gateway/0001") for name in first.json["applied"])
        again = await tocsin("migrate", settings={"DATABASE_URL": url}, folder=folder)
        assert (again.code, again.out) == (0, "the database is up to date\n")


async def test_a_database_that_is_away_or_not_there_has_a_remedy(
    folder: Path, nowhere: dict[str, str], postgres_url: str
) -> None:
    done = await tocsin("migrate", settings=nowhere, folder=folder)
    assert done.code == 1 and "no database answers at" in done.err and "DATABASE_URL" in done.err
    assert "hidden" not in done.err
    missing = real.other_database(postgres_url, "not_there")
    done = await tocsin("migrate", settings={"DATABASE_URL": missing}, folder=folder)
    assert done.code == 1 and "does not let us in" in done.err


async def test_topics_are_listed_with_partitions_and_lag(folder: Path, kafka: KafkaSettings) -> None:
    settings = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "KAFKA_TOPIC_PREFIX": kafka.topic_prefix}
    await make(kafka, SENT.name, partitions=2, records=5)
    done = await tocsin("topics", "--json", settings=settings, folder=folder)
    assert done.code == 0, done.err
    found = {one["name"]: one["partitions"] for one in done.json["topics"]}
    assert found == {topic.name: 2 if topic is SENT else 0 for topic in ALL}
    behind = {one["name"]: one["behind"] for one in done.json["groups"]}
    assert behind == {group.name: 5 if SENT in group.topics else 0 for group in GROUPS}
    done = await tocsin("topics", settings=settings, folder=folder)
    assert "notifications.retry" in done.out and "missing" in done.out and "intake.outcomes" in done.out


async def test_topics_that_are_missing_are_made(folder: Path, kafka: KafkaSettings) -> None:
    settings = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "KAFKA_TOPIC_PREFIX": kafka.topic_prefix}
    done = await tocsin("topics", "--make", "--json", settings=settings, folder=folder)
    assert done.code == 0
    assert set(done.json["made"]) == {kafka.topic_prefix + topic.name for topic in ALL}
    again = await tocsin("topics", "--make", settings=settings, folder=folder)
    assert (again.code, again.out) == (0, "all topics are there\n")


async def test_topics_that_kafka_refuses_are_named_with_the_remedy(folder: Path, kafka: KafkaSettings) -> None:
    settings = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "KAFKA_TOPIC_PREFIX": kafka.topic_prefix}
    done = await tocsin("topics", "--make", settings=settings | {"KAFKA_REPLICATION": "3"}, folder=folder)
    assert done.code == 1
    assert "notifications.requested (InvalidReplicationFactorError)" in done.err
    assert "KAFKA_REPLICATION" in done.err


async def test_topics_are_listed_also_without_kafka(folder: Path, nowhere: dict[str, str]) -> None:
    done = await tocsin("topics", settings=nowhere, folder=folder)
    assert done.code == 1
    assert "notifications.requested" in done.out and "consumer group" not in done.out
    assert done.err.startswith("tocsin: Kafka does not answer at") and done.err.count("\n") == 1
    assert "Connect call failed" in done.err


@pytest.mark.parametrize(
    ("offset", "behind"),
    [
        (None, 6),  # never committed
        (4, 6),  # what it has not read is deleted
        (7, 3),
        (10, 0),
        (11, 6),  # of an older topic of this name
    ],
)
def test_p9_lag_is_counted_from_what_is_there(offset: int | None, behind: int) -> None:
    assert lag(offset, beginning=4, end=10) == behind


async def make(kafka: KafkaSettings, topic: str, *, partitions: int, records: int) -> None:
    """A topic with so many records."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await producer.start()
    try:
        await admin.create_topics([NewTopic(kafka.topic_prefix + topic, partitions, 1)])
        for number in range(records):
            await producer.send_and_wait(kafka.topic_prefix + topic, b"{}", partition=number % partitions)
    finally:
        await producer.stop()
        await admin.close()
