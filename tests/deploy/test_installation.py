"""The settings decide what is started, and what was killed comes back with its data."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local.installation import end, installation
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.stack import Stack
from kit.settings import load
from tests.deploy.programs import Silent, stand_in
from tests.deploy.test_servers import consume, make_topic, produce
from tests.servers import CACHE, ROOT, Session
from tests.waiting import PATIENCE, eventually

PORTS = ("KAFKA", "MAIL_SMTP", "MAIL_PAGE", "INTAKE", "SCHEDULER", "EMAIL_SENDER", "SMS_SENDER", "RETURNED_MAIL")


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    """An installation on free ports, its state in a folder whose name is not as plain as most."""
    folder = folder / "l'été à 100 %"
    (folder / ".tocsin").mkdir(parents=True)
    (folder / ".tocsin" / "cache").symlink_to(CACHE)
    return {
        **{f"TOCSIN_{name}_PORT": str(free_port()) for name in PORTS},
        "GATEWAY_PORT": str(free_port()),
        "TOCSIN_STATE_DIR": str(folder / ".tocsin"),
        "TOCSIN_LOGS_DIR": str(folder / "logs"),
    }


@pytest.mark.parametrize(
    ("named", "listens"),
    [
        ({}, False),
        ({"SMTP_BOUNCE_ADDRESS": "bounces@example.org"}, True),
        (
            {"SMTP_BOUNCE_ADDRESS": "bounces@example.org", "SMTP_HOST": "smtp.gmail.com", "SMTP_FROM_EMAIL": "a@b.fr"},
            False,
        ),
    ],
)
def test_the_port_of_returned_mail_is_wanted_where_mail_comes_back(
    environment: dict[str, str], named: dict[str, str], listens: bool
) -> None:
    """So that a taken one is named before anything starts."""
    [sender] = [one for one in installation(ROOT, environment | named).services if one.name == "email_sender"]
    assert ("TOCSIN_RETURNED_MAIL_PORT" in sender.ports) is listens


@pytest.mark.parametrize(
    ("named", "started"),
    [
        ({}, ["postgresql", "kafka", "mail"]),
        ({"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, ["postgresql", "mail"]),
        ({"DATABASE_URL": "postgresql://me@127.0.0.1:1/x"}, ["kafka", "mail"]),
        ({"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "1"}, ["postgresql", "kafka"]),
    ],
)
def test_a_server_that_the_settings_name_is_not_started(
    environment: dict[str, str], named: dict[str, str], started: list[str]
) -> None:
    """Each embedded server is started unless a setting says where another one is; `status` shows that one instead."""
    stack = installation(ROOT, environment | named)
    assert [program.name for program in stack.servers] == started
    seen = stack.status()
    assert {one.name for one in seen.servers} == {"postgresql", "kafka", "mail"}
    assert [one.name for one in seen.services] == ["intake", "scheduler", "email_sender", "sms_sender", "gateway"]
    assert not seen.ready


@pytest.fixture
def servers_only(environment: dict[str, str], session: Session) -> Iterator[Stack]:
    """The real servers under the real manager, with one stand-in for the services."""
    stack = installation(ROOT, environment)
    stack.services = [stand_in("gateway", free_port())]
    tell = Silent()
    status = stack.up(tell)
    for pid in (status.manager, *(one.pid for one in (*status.servers, *status.services))):
        session.look_after(pid or 0, signal.SIGTERM)
    yield stack
    end(ROOT, environment, tell)


async def test_killed_servers_are_started_again_and_lose_nothing(
    servers_only: Stack, environment: dict[str, str]
) -> None:
    """kill -9 of Kafka and PostgreSQL: the manager starts them, and what was acknowledged is there."""
    settings = load(ROOT, environment)
    before = {one.name: one.pid for one in servers_only.status().servers}
    connection = await asyncpg.connect(settings.database_url)
    await connection.execute("create table kept (n int)")
    await connection.execute("insert into kept values (1)")
    await make_topic(settings.kafka.bootstrap_servers, "kept")
    await produce(settings.kafka.bootstrap_servers, "kept", [b"1"])
    for name in ("kafka", "postgresql"):
        os.kill(before[name] or 0, signal.SIGKILL)
    await eventually(lambda: is_another(servers_only, before, "kafka", "postgresql"), 3 * PATIENCE)
    connection = await asyncpg.connect(settings.database_url)
    assert await connection.fetchval("select n from kept") == 1
    await connection.close()
    assert await consume(settings.kafka.bootstrap_servers, "kept", 1) == [b"1"]
    assert {one.name: one.pid for one in servers_only.status().servers}["mail"] == before["mail"]


def is_another(stack: Stack, before: dict[str, int | None], *names: str) -> bool:
    """Whether these servers are ready, and not the processes they were."""
    seen = {one.name: one for one in stack.status().servers}
    return all(seen[name].ready and seen[name].pid != before[name] for name in names)


def tocsin(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line, run as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
    )


def test_status_as_json_has_the_promised_shape(environment: dict[str, str]) -> None:
    """Names, process ids, readiness, ports and addresses; exit code 1 while something is not ready."""
    done = tocsin(environment, "status", "--json")
    assert done.returncode == 1
    shown = json.loads(done.stdout)
    assert all({"name", "pid", "ready", "port"} <= service.keys() for service in shown["services"])
    assert all({"name", "pid", "address"} <= server.keys() for server in shown["servers"])


def test_a_taken_port_is_one_sentence_and_nothing_is_started(environment: dict[str, str]) -> None:
    """The command ends with 1, names the setting, and leaves nothing running."""
    with socket.create_server((LOOPBACK, int(environment["TOCSIN_KAFKA_PORT"]))):
        done = tocsin(environment, "up")
    assert done.returncode == 1 and done.stdout == ""
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("tocsin: port") and "set TOCSIN_KAFKA_PORT to a free port" in sentence
    assert tocsin(environment, "down", "--json").stdout.strip() == '{\n  "stopped": []\n}'


def test_settings_with_a_mistake_stop_the_start(environment: dict[str, str]) -> None:
    """`up` says what is wrong and what was meant."""
    wrong = environment | {"TOCSIN_KAFKA_PROT": "1"}
    done = tocsin(wrong, "up")
    assert done.returncode == 1 and "TOCSIN_KAFKA_PORT" in done.stderr and "Traceback" not in done.stderr
