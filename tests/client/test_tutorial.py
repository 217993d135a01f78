"""The tutorial of the client's README, line by line, against real services; and the package as others install it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from client import compat, shapes
from client import kafka as by_kafka
from client.aio import AsyncTocsin
from client.compat import STATUTS, notify_dossier_created, send_notification_now
from client.errors import NotYet, Refused, Unreachable
from client.kafka import KafkaTocsin
from contracts import identity, status, topics
from deploy.local.ports import free_port
from kit.clock import monotonic
from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import Stack
from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
OFFLINE = ("--no-deps", "--no-build-isolation", "--no-index")
HELLO: Any = {"channel": "email", "to": "delivered@simulator.test", "subject": "Hello", "body": "It works."}

on_services = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kafka(kafka_address: str) -> AsyncIterator[KafkaSettings]:
    settings = real.kafka_settings(kafka_address)
    yield settings
    await real.delete_topics(settings)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(session: real.Session, kafka: KafkaSettings, postgres_url: str, template: str) -> AsyncIterator[Stack]:
    async with real.copied_database(postgres_url, template) as database:
        folder = session.new_folder("tutorial")
        async with Stack(kafka, database, folder, session.look_after) as stack:
            yield stack


@pytest.fixture
def where(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old functions wait for an outcome as long as a gateway lets them: what takes more than five seconds on a busy
    machine is `en_attente`, and well all the same."""
    monkeypatch.setattr(compat, "PATIENCE", 30.0)
    monkeypatch.setenv("TOCSIN_URL", stack.url)
    monkeypatch.setenv("TOCSIN_TOKEN", stack.token("alice"))


@on_services
async def test_every_line_of_the_readme_works(stack: Stack, kafka: KafkaSettings, where: None) -> None:
    """As it stands there, but for the addresses of this installation, the package's name inside the project, and that a
    busy machine has half a minute for an outcome."""
    text = (ROOT / "client/README.md").read_text()
    text = (
        text.replace("http://127.0.0.1:8000", stack.url)
        .replace("tocsin_client", "client")
        .replace("wait=10", "wait=30")
    )
    text = text.replace(
        'KafkaTocsin("127.0.0.1:9092", ', f'KafkaTocsin("{kafka.bootstrap_servers}", prefix="{kafka.topic_prefix}", '
    )
    lines: list[object] = []
    around: dict[str, Any] = {"token": stack.token("alice"), "print": lambda *words: lines.append(words)}
    blocks = BLOCK.findall(text)
    assert len(blocks) >= 10

    def run() -> None:
        for block in blocks:
            exec(compile(block, "client/README.md", "exec"), around)

    await asyncio.to_thread(run)
    assert lines[0] == ("sent",)
    assert ([("to", "is not an email address")],) in [
        ([(field, message.split(":")[0]) for field, message in words[0]],)
        for words in lines
        if isinstance(words, tuple) and isinstance(words[0], tuple)
    ]
    assert ("cancelled",) in lines and (True, "envoyé") in lines


@on_services
async def test_await_asks_waits_watches_and_cancels(stack: Stack) -> None:
    async with AsyncTocsin(stack.url, stack.token("alice")) as tocsin:
        told = await tocsin.notify(**HELLO)
        assert (await tocsin.wait(told.id)).was_sent
        assert [seen.status async for seen in tocsin.watch(told.id)][-1] in ("sent", "delivered")
        later = await tocsin.notify(**HELLO, send_at=datetime.now(UTC) + timedelta(hours=1))
        with pytest.raises(NotYet):
            await tocsin.wait(later.id, seconds=0)
        await tocsin.cancel(later.id)
        assert (await tocsin.wait(later.id)).status == "cancelled"
        with pytest.raises(Refused, match="to: is not an email address"):
            await tocsin.notify(**HELLO | {"to": "nobody"})
        good, bad = await tocsin.batch([HELLO, {"channel": "email"}])
        assert good.id and bad.error
    async with AsyncTocsin(f"http://127.0.0.1:{free_port()}", "token") as nobody:
        with pytest.raises(Unreachable):
            await nobody.notify(**HELLO)


@on_services
async def test_kafka_is_asked_in_the_same_words(stack: Stack, kafka: KafkaSettings) -> None:
    """One per key, found by the id that the client knows beforehand; moved and cancelled by its key."""
    async with (
        KafkaTocsin(kafka.bootstrap_servers, source="billing", prefix=kafka.topic_prefix) as tocsin,
        AsyncTocsin(stack.url, stack.token("root", admin=True)) as rest,
    ):
        first, again = await tocsin.notify(key="k1", **HELLO), await tocsin.notify(key="k1", **HELLO)
        assert first == again and first.id == str(identity.notification_id("default", "source:billing", "k1"))
        assert (await _seen(rest, first.id)).was_sent
        later = await tocsin.notify(key="k2", **HELLO, send_at=datetime.now(UTC) + timedelta(hours=1))
        await tocsin.cancel("k2")
        assert (await _seen(rest, later.id)).status == "cancelled"
        third, fourth = await tocsin.batch([HELLO, HELLO | {"lane": "urgent"}])
        assert (await _seen(rest, third.id)).was_sent and (await _seen(rest, fourth.id)).was_sent


async def _seen(rest: AsyncTocsin, id: str) -> shapes.Notification:
    """What Kafka was told is known a moment later."""
    over = monotonic() + PATIENCE
    while monotonic() < over:
        try:
            return await rest.wait(id)
        except Refused as error:
            if error.status != 404:
                raise
            await asyncio.sleep(0.05)
    raise TimeoutError(id)


@on_services
async def test_the_old_functions_answer_as_they_did(where: None) -> None:
    told = await send_notification_now("123", "email", "delivered@simulator.test", "Bienvenue", "Merci")
    assert told == {"success": True, "notification_id": told["notification_id"], "statut": "envoyé", "erreur": None}
    wrong = await send_notification_now("123", "email", "nobody", "Bienvenue", "Merci")
    assert (wrong["success"], wrong["notification_id"], wrong["statut"]) == (False, None, "échoué")
    assert "to: is not an email address" in str(wrong["erreur"])
    bounced = await send_notification_now("123", "email", "bounce@simulator.test", "Bienvenue", "Merci")
    assert bounced["notification_id"]
    made = await asyncio.to_thread(
        notify_dossier_created.delay, "bob", {"id": 9, "le": datetime(2027, 3, 1, tzinfo=UTC)}
    )
    assert made.id and made.channel == "inapp"


async def test_an_absent_gateway_is_said_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("TOCSIN_TOKEN", "token")
    told = await send_notification_now("123", "sms", "+33123456789", contenu="Alerte")
    assert told["success"] is False and "no answer from" in str(told["erreur"])


def test_it_agrees_with_the_contracts() -> None:
    """It is installed without them."""
    assert set(shapes.FINAL) == {str(one) for one in status.FINAL}
    assert set(shapes.TAKEN) == {str(one) for one in status.TAKEN} - {"undelivered"}
    assert set(STATUTS) == {str(one) for one in status.Status}
    assert {str(lane): topic.name for lane, topic in topics.REQUESTED.items()} == by_kafka.TOPICS
    assert topics.DEADLINES.name == by_kafka.DEADLINES and by_kafka.NAMESPACE == identity.NAMESPACE


def test_the_package_needs_nothing_else_of_the_project(tmp_path: Path) -> None:
    source = shutil.copytree(ROOT / "client", tmp_path / "client", ignore=shutil.ignore_patterns("__pycache__"))
    made = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "-w",
            tmp_path,
            source,
        ],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    (wheel,) = tmp_path.glob("tocsin_client-*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    line = "import tocsin_client, tocsin_client.kafka, tocsin_client.compat, sys; print('contracts' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", line],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
    )
    assert ran.stdout == "False\n", ran.stderr
