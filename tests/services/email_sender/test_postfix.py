"""A relay that nobody here has written: what postfix takes, refuses and puts off comes out as the table says."""

from __future__ import annotations

import asyncio
import os
import ssl

import pytest

from contracts.suppression import Cause
from deploy.local.catcher import Catcher
from kit.delivery.outcomes import Accepted, Outcome, Refused, Unavailable
from tests.services.email_sender.postfix_server import HERE, LARGEST, postfix
from tests.services.email_sender.test_smtp import parcel, smtp
from tests.waiting import PATIENCE, eventually

pytestmark = [
    pytest.mark.needs("postfix"),
    pytest.mark.skipif(os.geteuid() != 0, reason="postfix is started by root alone"),
]


async def test_what_it_takes_arrives_once() -> None:
    """Two hundred at once, by CHUNKING and PIPELINING, through its queue to the next server."""
    parcels = [parcel(f"u{n}@example.com", html="<p>Hi</p>") for n in range(200)]
    async with Catcher() as catcher, postfix(catcher.port) as port, smtp(port, timeout=60.0) as provider:
        said = await asyncio.gather(*(provider.hand_over(one) for one in parcels))
        assert all(isinstance(one, Accepted) for one in said), {one for one in said if not isinstance(one, Accepted)}
        await eventually(lambda: len(catcher.mails()) >= 200, seconds=60)
        arrived = sorted(mail.message_id for mail in catcher.mails())
    assert arrived == sorted(f"<{one.due.id}@example.com>" for one in parcels)


async def test_each_refusal_is_what_the_table_says(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """In private; the next mail is none the worse."""
    big = "x" * 70 + "\n"
    async with Catcher() as catcher, postfix(catcher.port) as port:
        async with smtp(port, timeout=60.0, security="starttls", tls=certificate[1]) as provider:

            async def of(to: str, **content: str) -> Outcome:
                return await provider.hand_over(parcel(to, **content))

            unknown = await of(f"nobody@{HERE}")
            assert isinstance(unknown, Refused) and (unknown.reason, unknown.suppress) == (
                "recipient_refused",
                Cause.HARD_BOUNCE,
            )
            put_off = await of("greylisted@example.com")
            assert isinstance(put_off, Unavailable) and put_off.reason == "recipient_deferred"
            full = await of("full@example.com")
            assert isinstance(full, Unavailable) and (full.reason, full.patient) == ("mailbox_full", True)
            blocked = await of("blocked@example.com")
            assert isinstance(blocked, Refused) and (blocked.reason, blocked.suppress) == ("message_refused", None)
            large = await of("ann@example.com", text=big * (LARGEST // len(big) + 100))
            assert isinstance(large, Refused) and large.reason == "message_refused"
            assert isinstance(await of("ann@example.com"), Accepted)


async def test_it_can_be_tried_out(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with Catcher() as catcher, postfix(catcher.port) as port:
        async with smtp(port, security="starttls", tls=certificate[1]) as provider:
            trial = await provider.tried(PATIENCE)
        assert trial.ok, trial
        assert catcher.mails() == []


async def test_while_it_is_down_nothing_is_sent_and_afterwards_everything() -> None:
    async with Catcher() as catcher:
        async with postfix(catcher.port) as port, smtp(port, timeout=60.0) as provider:
            assert isinstance(await provider.hand_over(parcel()), Accepted)
            await eventually(lambda: len(catcher.mails()) == 1, seconds=60)
        async with smtp(port) as provider:
            down = await provider.hand_over(parcel())
        assert isinstance(down, Unavailable) and down.blames_provider
