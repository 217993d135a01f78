"""A whole installation that is well, as its doctor finds it; and the test script of the old pages, on it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Mapping

import pytest

from tests.cli.conftest import Done, tocsin
from tests.cli.doctor.test_by_itself import findings
from tests.journeys.stack import ROOT, Stack
from tests.kit.bus.support import until_true

pytestmark = pytest.mark.asyncio(loop_scope="module")

STEPS = ["api", "connections", "creation", "immediate", "scheduler", "statistics"]


def settings(stack: Stack) -> dict[str, str]:
    """Those of all services together: each has a port of its own."""
    together: dict[str, str] = {}
    for instance in stack.instances:
        together |= instance.environment
    return together


async def test_nothing_is_wrong(stack: Stack) -> None:
    seen: list[Done] = []

    async def is_well() -> bool:
        """Whoever takes some seconds for an answer is in trouble, also where only the machine is."""
        seen.append(await tocsin("doctor", "--json", settings=settings(stack), folder=stack.folder))
        troubles = [one for one in seen[-1].json["checks"] if one["state"] in ("trouble", "skipped")]
        print(troubles)
        return (seen[-1].code, troubles) == (0, [])

    await until_true(is_well)
    found = findings(seen[-1])
    assert {"services", "stream", "providers", "lag", "roles", "email smtp", "sms console"} <= found.keys()


async def test_one_of_each_is_sent_and_watched_to_its_end(stack: Stack) -> None:
    """Simulators play their lives; nothing leaves the house."""
    done = await tocsin("doctor", "--try", "--json", settings=settings(stack), folder=stack.folder)
    assert done.code == 0, done.out
    assert [(one["step"], one["ok"]) for one in done.json["steps"]] == [(step, True) for step in STEPS]
    parts = done.json["steps"][2]["detail"]
    for words in ("email bounce: undelivered", "sms unknown: unknown", "email unavailable: retrying", "inapp: sent"):
        assert words in parts


async def test_the_script_of_the_old_pages(stack: Stack) -> None:
    """Its six titles, and its exit code."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "KAFKA_"))}
    environment = clean | settings(stack)
    done = await asyncio.to_thread(ran, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    for title in ("Santé de l'API", "Connexions", "Création", "Envoi immédiat", "Planificateur", "Statistiques"):
        assert f"✔ {title}" in done.stdout
    assert done.stdout.endswith("Tous les tests ont réussi\n")
    nobody = await asyncio.to_thread(ran, environment, "--url", "http://127.0.0.1:9")
    assert nobody.returncode == 1 and "no answer from" in nobody.stdout


def ran(environment: Mapping[str, str], *more: str) -> subprocess.CompletedProcess[str]:
    script = str(ROOT / "scripts" / "test-notifications.sh")
    return subprocess.run([script, *more], env=environment, capture_output=True, text=True, timeout=120)


async def test_a_sender_that_has_just_died_is_missed(stack: Stack) -> None:
    """Last of all: it is not started again."""
    [sender] = stack.of("sms_sender")
    stack.kill(sender)
    done = await tocsin("doctor", "--json", settings=settings(stack), folder=stack.folder)
    found = findings(done)
    assert done.code == 1 and "sms_sender" in json.dumps(found["services"]), found["services"]
