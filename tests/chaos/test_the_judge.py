"""A chaos run that cannot turn red proves nothing: with a rule left out, the same judge must find what is wrong."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from kit.settings import KafkaSettings
from services.email_sender.settings import LEASE_SECONDS
from tests import servers as real
from tests.chaos.storm import Load, Verdict
from tests.journeys.stack import Stack

pytestmark = pytest.mark.chaos

Broken = Callable[[str], AbstractAsyncContextManager[Stack]]


@pytest.fixture
def broken(kafka: KafkaSettings, database: str, session: real.Session) -> Broken:
    """A stack whose email sender lacks a rule, and where no sweep hides it."""

    @asynccontextmanager
    async def without(rule: str) -> AsyncIterator[Stack]:
        def command(service: str) -> list[str]:
            program = ["tests.chaos.broken", rule, service] if service == "email_sender" else [f"services.{service}"]
            return [sys.executable, "-m", *program]

        folder: Path = session.new_folder("broken")
        off = {"TOCSIN_TEST_SWEEPS": "off"}
        async with Stack(kafka, database, folder, session.look_after, settings=off, command=command) as stack:
            yield stack

    return without


async def killed_with_mails_in_hand(stack: Stack, then: float) -> Verdict:
    """The relay takes each mail at once and answers after two seconds: a kill meanwhile finds many under way."""
    load = Load(stack, local_part="slow+")
    await load.offer(150, per_second=75)
    await stack.catcher.wait_for(20)
    [sender] = stack.of("email_sender")
    stack.kill(sender)
    stack.start(sender)
    await load.quiet(then)
    return load.judge()


async def test_without_claims_the_judge_finds_copies_that_nobody_flagged(broken: Broken) -> None:
    async with broken("no_claim") as stack:
        verdict = await killed_with_mails_in_hand(stack, then=45)
        assert verdict.unflagged, str(verdict)


async def test_with_offsets_committed_before_the_work_the_judge_finds_lost_mails(broken: Broken) -> None:
    async with broken("offsets_before_the_work") as stack:
        verdict = await killed_with_mails_in_hand(stack, then=LEASE_SECONDS + 15)
        assert verdict.lost, str(verdict)
