"""Providers on the command line, against a real gateway and an email sender that the test plays."""

from __future__ import annotations

import pytest

from contracts.topics import ALL
from kit.delivery.operating import trials
from tests.cli.conftest import Place
from tests.kit.bus.support import make
from tests.kit.control.support import instance
from tests.services.gateway.test_providers import Tried

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_listed_paused_resumed_and_tried_out(place: Place) -> None:
    stack = place.stack
    await make(stack.kafka, *ALL)
    works = trials([Tried(name="smtp")])
    async with instance(stack.kafka, stack.database, works, "email_sender"):
        paused = await place.until("pause of smtp: done", "providers", "pause", "smtp")
        assert paused.code == 0 and paused.out.strip().endswith("pause of smtp: done"), paused.err
        resumed = await place.until('"paused": false', "providers", "resume", "smtp", "--json")
        assert resumed.code == 0
        tried = await place.tocsin("providers", "test", "smtp")
        assert tried.code == 1 and "NO" in tried.out and "535 5.7.8 no" in tried.out
    listed = await place.tocsin("providers", "list")
    assert listed.code == 0 and "smtp" in listed.out and "console" in listed.out


async def test_what_there_is_not_is_a_sentence(place: Place) -> None:
    unknown = await place.tocsin("providers", "pause", "fax/../smtp")
    assert unknown.code == 1 and unknown.err
