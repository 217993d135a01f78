"""The command as people run it, against a real gateway; what the other services would say is said by the test."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from cli.main import main
from contracts import events as e
from contracts.topics import SERVICES
from deploy.local.ports import free_port
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.clock import utc_now
from tests import servers as real
from tests.journeys.stack import Stack
from tests.kit.bus.support import until_true
from tests.waiting import PATIENCE

OURS = ("TOCSIN_", "KAFKA_", "SMTP_", "SMS_", "JWT_", "GATEWAY_", "NOTIFICATION_", "DATABASE_", "TWILIO_", "AWS_")
ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def tocsin(
    *arguments: str, settings: Mapping[str, str], folder: Path, stdin: str = "", seconds: float = PATIENCE
) -> Done:
    """`tocsin ARGUMENTS` in a thread, with these settings in its environment and `folder` as its place."""
    run = asyncio.to_thread(_run, arguments, {"TOCSIN_STATE_DIR": str(folder)} | dict(settings), folder, stdin)
    return await asyncio.wait_for(run, seconds)


def _run(arguments: Sequence[str], settings: Mapping[str, str], folder: Path, stdin: str) -> Done:
    """The whole program but for its process, of which one test has enough."""
    out, err, code = StringIO(), StringIO(), 0
    with ONE_AT_A_TIME, redirect_stdout(out), redirect_stderr(err), chdir(folder):
        before = dict(os.environ), sys.argv, sys.stdin
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        try:
            _environment(clean | dict(settings))
            sys.argv, sys.stdin = ["tocsin", *arguments], StringIO(stdin)
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        finally:
            environment, sys.argv, sys.stdin = before
            _environment(environment)
    return Done(code, out.getvalue(), err.getvalue())


def _environment(values: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(values)


@dataclass(frozen=True, slots=True)
class Place:
    """A gateway, commands that speak to it, and the voice of the services that are not there."""

    stack: Stack
    publisher: Publisher

    async def tocsin(self, *arguments: str, stdin: str = "", seconds: float = PATIENCE, **settings: str) -> Done:
        """A command with the settings of this gateway; `settings` change some."""
        [gateway] = self.stack.of("gateway")
        return await tocsin(
            *arguments, settings=gateway.environment | settings, folder=self.stack.folder, stdin=stdin, seconds=seconds
        )

    async def until(self, words: str, *arguments: str) -> Done:
        """A command that may be given twice, given until it says these words: a gateway tells after five seconds that
        what was changed or ordered takes longer, which is soon over on a busy machine."""
        seen: list[Done] = []

        async def says() -> bool:
            seen.append(await self.tocsin(*arguments))
            return words in seen[-1].out + seen[-1].err

        await until_true(says)
        return seen[-1]

    async def sent(self, id: str, **more: Any) -> None:
        """A sender says that a provider took it."""
        said = {"id": id, "owner": "user:developer", "channel": "email", "accepted_at": utc_now(), "at": utc_now()}
        await self.says(e.Sent.model_validate(said | {"try_": 1, "attempt": 1, "provider": "smtp"} | more))

    async def failed(self, id: str, **more: Any) -> None:
        """A sender gives up."""
        said = {"id": id, "owner": "user:developer", "channel": "email", "accepted_at": utc_now()}
        await self.says(e.Failed.model_validate(said | {"outcome": "failed", "reason": "refused"} | more))

    async def says(self, event: e.Event) -> None:
        await self.publisher.publish([Outgoing.of(event)])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(session: real.Session, kafka_address: str, postgres_url: str, template: str) -> AsyncIterator[Place]:
    """One gateway for the tests of a module (their event loop is the module's)."""
    kafka = real.kafka_settings(kafka_address)
    async with real.copied_database(postgres_url, template) as database:
        folder = session.new_folder("place")
        async with Stack(kafka, database, folder, session.look_after, services=("gateway",)) as stack:
            publisher = Publisher(kafka, "email_sender", deadline=PATIENCE)
            await publisher.start()
            try:
                yield Place(stack, publisher)
            finally:
                await publisher.stop()
    await real.delete_topics(kafka)


@pytest.fixture
def nowhere(folder: Path) -> dict[str, str]:
    """Settings of an installation of which nothing runs, whatever else may run on this machine."""
    services = {f"TOCSIN_{name.upper()}_PORT": str(free_port()) for name in SERVICES if name != "gateway"}
    return services | {
        "JWT_SECRET": "a secret of this test, long enough for HS256",
        "GATEWAY_PORT": str(free_port()),
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "DATABASE_URL": f"postgresql://me:hidden@127.0.0.1:{free_port()}/tocsin",
    }
