"""Troubles of settings and of this machine: each is made, and `tocsin doctor` names it."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from cli.doctor import machine
from cli.doctor.configured import configured
from cli.doctor.finding import Finding
from deploy.local.ports import free_port
from kit.settings import load
from tests.cli.conftest import Done, tocsin

STRONG = "Zq8vR2mKx0Lw7Tn4Jc9Hy6Gf3Pb1Ds5A"
NOON = datetime(2027, 3, 3, 12, tzinfo=UTC)


def findings(done: Done) -> dict[str, dict[str, Any]]:
    """By check; of several under one name the worst, and all in its `all`."""
    found: dict[str, dict[str, Any]] = {}
    for one in done.json["checks"]:
        if one["check"] not in found or one["state"] == "trouble":
            found[one["check"]] = one
    return found


def assert_trouble(done: Done, check: str, *words: str) -> None:
    """This check is in trouble, says these words, and what helps."""
    said = [one for one in done.json["checks"] if one["check"] == check and one["state"] == "trouble"]
    assert done.code == 1 and done.json["ok"] is False
    assert any(all(word in f"{one['what']} {one['remedy']}" for word in words) for one in said), (check, words, said)
    assert all(one["remedy"] for one in said)


async def test_a_house_that_does_not_run_is_told_in_seconds(folder: Path, nowhere: dict[str, str]) -> None:
    """With nothing there at all, every check still has its say."""
    done = await tocsin("doctor", "--json", settings=nowhere, folder=folder)
    assert_trouble(done, "kafka", "does not answer", "KAFKA_BOOTSTRAP_SERVERS")
    assert_trouble(done, "postgresql", "does not let us in", "DATABASE_URL")
    assert_trouble(done, "gateway", "does not answer", "--url")
    assert_trouble(done, "services", "scheduler does not run", "logs/scheduler.log")
    found = findings(done)
    assert {found[check]["state"] for check in ("topics", "migrations", "token", "stream")} == {"skipped"}
    assert found["settings"]["state"] == "ok" and "hidden" not in done.out
    people = await tocsin("doctor", settings=nowhere, folder=folder)
    assert people.code == 1 and "TROUBLE" in people.out and "→" in people.out and "checks:" in people.out


async def test_an_unknown_key_is_the_first_thing_to_mend(folder: Path, nowhere: dict[str, str]) -> None:
    (folder / "config").mkdir()
    (folder / "config" / "notifications.yml").write_text("notifications: {emial: {enabled: true}}")
    done = await tocsin("doctor", "--json", settings=nowhere, folder=folder)
    assert_trouble(done, "settings", "emial", "email")
    assert findings(done)["kafka"]["state"] == "skipped" and findings(done)["disk"]["state"] != "skipped"


@pytest.mark.parametrize(
    ("settings", "check", "words"),
    [
        ({"GATEWAY_HOST": "0.0.0.0"}, "secrets", ("sample", "JWT_SECRET", "openssl")),
        (
            {"SMTP_HOST": "mail.example.org", "SMTP_FROM_EMAIL": "a@example.org"},
            "secrets",
            ("sample", "JWT_SECRET", "void"),
        ),
        ({"GATEWAY_HOST": "0.0.0.0", "JWT_SECRET": STRONG, "GATEWAY_DEMO": "true"}, "secrets", ("/demo",)),
        (
            {"GATEWAY_HOST": "0.0.0.0", "TOCSIN_LINK_SECRET": "change-me-change-me-change-me-change-me"},
            "links",
            ("TOCSIN_LINK_SECRET", "stop anybody's mails"),
        ),
        ({"JWT_SECRET": STRONG, "TOCSIN_LINK_SECRET": STRONG}, "links", ("same as JWT_SECRET",)),
    ],
    ids=["outside", "a real relay", "the demo page", "links of a sample", "one secret for both"],
)
async def test_secrets_of_a_sample_are_found_where_others_come(
    folder: Path, nowhere: dict[str, str], settings: dict[str, str], check: str, words: tuple[str, ...]
) -> None:
    told = _configured(folder, {"JWT_SECRET": "a secret of development, never changed"} | settings)
    assert any(
        one.check == check and one.state == "trouble" and all(word in f"{one.what} {one.remedy}" for word in words)
        for one in told
    ), told


def test_the_same_secret_is_no_trouble_at_home(folder: Path) -> None:
    told = _configured(folder, {"JWT_SECRET": "a secret of development, never changed"})
    assert [one for one in told if one.state == "trouble"] == []


@pytest.mark.parametrize(
    ("yaml", "check", "state", "words"),
    [
        ("notifications: {enabled: false}", "switches", "trouble", ("held",)),
        ("notifications: {scheduler: {enabled: false}}", "switches", "trouble", ("scheduler is off", "retry")),
        ("notifications: {sms: {enabled: false}}", "switches", "note", ("sms", "refused")),
        ('notifications: {hours: {email: {from: "08:00", to: "10:00"}}}', "hours", "note", ("closed until", "07:00Z")),
    ],
    ids=["everything off", "scheduler off", "a channel off", "closed now"],
)
def test_why_nothing_is_sent(folder: Path, yaml: str, check: str, state: str, words: tuple[str, ...]) -> None:
    """The usual reasons of the old pages: the scheduler, and the operating hours."""
    told = [
        one for one in _configured(folder, {"JWT_SECRET": STRONG}, yaml) if (one.check, one.state) == (check, state)
    ]
    assert told and all(word in f"{told[0].what} {told[0].remedy}" for word in words), told


async def test_an_unknown_zone_is_a_setting_to_mend(folder: Path, nowhere: dict[str, str]) -> None:
    (folder / "config").mkdir()
    (folder / "config" / "notifications.yml").write_text("notifications: {default_time_zone: Europe/Pariss}")
    done = await tocsin("doctor", "--json", settings=nowhere, folder=folder)
    assert_trouble(done, "settings", "Europe/Pariss", "Europe/Paris")


def test_a_machine_without_zone_data() -> None:
    """A zone that is right, and a machine that has never heard of it."""

    def nobody_knows(zone: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(zone)

    told = machine.zones(None, nobody_knows)
    assert told.state == "trouble" and "Europe/Paris" in told.what and "tzdata" in (told.remedy or "")
    assert machine.zones(None).state == "ok"


@pytest.mark.parametrize(("version", "state"), [((3, 10), "trouble"), ((3, 11), "ok"), ((3, 13), "ok"), ((4, 0), "ok")])
def test_a_python_that_is_too_old(version: tuple[int, int], state: str) -> None:
    assert machine.python(version).state == state


def test_a_java_that_does_not_run(tmp_path: Path) -> None:
    assert machine.java(None, tmp_path / "java").state == "trouble"
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    told = machine.java(None, broken)
    assert told.state == "trouble" and "code 3" in told.what
    assert machine.java(None).state == "ok"


def test_servers_that_are_not_installed() -> None:
    told = machine.embedded(None, lambda name: None)
    assert told.state == "trouble" and "scripts/venv.sh local" in (told.remedy or "")


@pytest.mark.parametrize(("free", "state"), [(2**20, "trouble"), (2**30, "note"), (2**35, "ok")])
def test_a_full_disk(tmp_path: Path, free: int, state: str) -> None:
    assert machine.disk(None, tmp_path, lambda place: (2**36, 0, free)).state == state


async def test_a_taken_port_is_named_with_its_setting(folder: Path) -> None:
    """Of the embedded servers and the services alike; whoever has it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = {"TOCSIN_KAFKA_PORT": str(port), "GATEWAY_PORT": str(free_port()), "JWT_SECRET": STRONG}
        done = await tocsin("doctor", "--json", settings=settings, folder=folder)
    assert_trouble(done, "ports", f"port {port} for kafka is taken", "TOCSIN_KAFKA_PORT")


def _configured(folder: Path, environ: dict[str, str], yaml: str = "{}") -> list[Finding]:
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "notifications.yml").write_text(yaml)
    return configured(load(folder, environ), folder, NOON)
