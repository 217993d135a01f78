"""The class table of SMTP from end to end: what a server says, what is done about it, and what people read about it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest

from contracts.events import Content, Due, Event, Failed, Retry, Sent
from contracts.status import Lane
from deploy.local.catcher import Catcher
from deploy.local.ports import free_port
from kit.delivery.condition import NONE
from kit.settings import KafkaSettings
from services.email_sender.composing.mail import Author
from services.email_sender.providers.smtp.opening import Relay
from services.email_sender.providers.smtp.provider import Smtp
from services.gateway.rules.projection import fold
from tests.kit.delivery.support import NO_END, House, due, house, now
from tests.services.email_sender.mail_server import scripted
from tests.services.email_sender.test_smtp import AUTHOR
from tests.waiting import PATIENCE

SOONEST = timedelta(seconds=5)
"""The first delay of the tests' policy is drawn between 5 s and 10 s; a full mailbox gets more than 7 minutes."""
PATIENT = timedelta(minutes=7)

LEASE = 3 * PATIENCE
"""Nothing begins that it does not outlast."""

Row = tuple[str, type[Event], str | None, timedelta | None, list[str]]
ROWS: list[Row] = [
    # the recipient asks for it · event · reason · not before · timeline
    ("anyone", Sent, None, None, ["sent"]),
    ("421", Retry, "provider_unavailable", SOONEST, ["retrying"]),
    ("450", Retry, "recipient_deferred", SOONEST, ["retrying"]),
    ("451-4.3.0", Retry, "provider_unavailable", SOONEST, ["retrying"]),
    ("450data", Retry, "recipient_deferred", SOONEST, ["retrying"]),
    ("451dot", Retry, "provider_unavailable", SOONEST, ["retrying"]),
    ("drop-rcpt", Retry, "provider_unavailable", SOONEST, ["retrying"]),
    ("drop-data", Retry, "provider_unavailable", SOONEST, ["retrying"]),
    ("silent-data", Retry, "provider_unavailable", SOONEST, ["retrying"]),
    ("drop-dot", Retry, "unknown_outcome", SOONEST, ["unknown", "retrying"]),
    ("keep-drop-dot", Retry, "unknown_outcome", SOONEST, ["unknown", "retrying"]),
    ("silent-dot", Retry, "unknown_outcome", SOONEST, ["unknown", "retrying"]),
    ("550", Failed, "recipient_refused", None, ["failed"]),
    ("550-5.1.2", Failed, "recipient_refused", None, ["failed"]),
    ("553-5.1.3", Failed, "recipient_refused", None, ["failed"]),
    ("551-5.1.6", Failed, "recipient_refused", None, ["failed"]),
    ("556-5.1.10", Failed, "recipient_refused", None, ["failed"]),
    ("550-5.2.1", Failed, "recipient_refused", None, ["failed"]),
    ("550-bare", Failed, "recipient_refused", None, ["failed"]),
    ("553-bare", Failed, "recipient_refused", None, ["failed"]),
    ("552-5.2.2", Retry, "mailbox_full", PATIENT, ["retrying"]),
    ("552-bare", Retry, "mailbox_full", PATIENT, ["retrying"]),
    ("452-4.2.2", Retry, "mailbox_full", PATIENT, ["retrying"]),
    ("550-5.7.1", Failed, "message_refused", None, ["failed"]),
    ("554data", Failed, "message_refused", None, ["failed"]),
    ("554-bare-ratedot", Failed, "message_refused", None, ["failed"]),
    ("552-5.3.4dot", Failed, "message_refused", None, ["failed"]),
]
HALTS = [
    ("550-5.4.5dot", "provider_quota"),
    ("550-5.7.1-rate", "provider_quota"),
    ("452-4.5.3", "provider_quota"),
    ("454-4.7.0", "provider_quota"),
    ("535-5.7.8", "provider_configuration"),
    ("534-5.7.9", "provider_configuration"),
    ("530-5.7.0", "provider_configuration"),
    ("535-bare", "provider_configuration"),
]


@pytest.fixture
async def home(kafka: KafkaSettings, database: str) -> AsyncIterator[House]:
    async with house(kafka, database) as one:
        yield one


@asynccontextmanager
async def relay(
    port: int, name: str = "main", author: Author = AUTHOR, time_out: float = PATIENCE
) -> AsyncIterator[Smtp]:
    provider = Smtp(name, Relay("127.0.0.1", port, "none"), author, timeout=time_out)
    try:
        yield provider
    finally:
        await provider.close()


def mail(mailbox: str, lane: Lane = Lane.NORMAL) -> Due:
    return due(lane, content=Content(to=f"{mailbox}@example.com", subject="Hello", text="Hi."))


def timeline(home: House, id: UUID) -> list[str]:
    batch = fold((event, now(), None) for event in home.said(id))
    return [line.event for line in batch.changes[id].entries]


async def test_each_row_is_done_and_shown(home: House) -> None:
    """One server, a mail per row; for those that are not answered a time-out that is soon over."""
    async with Catcher() as catcher:
        for silent in (False, True):
            rows = [row for row in ROWS if row[0].startswith("silent") is silent]
            async with relay(catcher.port, time_out=4.0 if silent else PATIENCE) as provider:
                async with home.sender(provider, health=NONE, hands=32, lease=LEASE):
                    await check(home, rows)
        assert {kept.recipients[0].partition("@")[0] for kept in catcher.mails()} == {"anyone", "keep-drop-dot"}


async def check(home: House, rows: list[Row]) -> None:
    """What becomes of a mail for each of them, all at once."""
    mails, begun = {mailbox: mail(mailbox) for mailbox, *_ in rows}, now()
    await home.put(*mails.values())
    for mailbox, kind, reason, after, lines in rows:
        one: Event = await home.hears(mails[mailbox], kind)
        assert timeline(home, mails[mailbox].id) == lines, mailbox
        if isinstance(one, Retry):
            assert after and one.at - begun >= after, mailbox
            assert (one.reason, one.unknown) == (reason, int("unknown" in lines)), mailbox
        elif isinstance(one, Failed):
            assert one.reason == reason and one.detail and one.detail.startswith(mailbox[:3]), mailbox


@pytest.mark.parametrize(("mailbox", "reason"), HALTS, ids=[mailbox for mailbox, _ in HALTS])
async def test_what_is_our_fault_stops_the_provider_and_not_the_mail(home: House, mailbox: str, reason: str) -> None:
    """It goes by another one, as its first attempt; where there is none, it waits and says for what."""
    first, urgent = mail(mailbox), mail("ann", Lane.URGENT)
    async with (
        Catcher() as catcher,
        scripted() as other,
        relay(catcher.port) as main,
        relay(other.port, "spare") as spare,
    ):
        async with home.sender(main, spare, pauses=NO_END, lease=LEASE):
            await home.put(first)
            sent: Sent = await home.hears(first, Sent)
            assert (sent.provider, sent.try_, sent.attempt) == ("spare", 1, 1)
            assert timeline(home, first.id) == ["sent"]
        async with home.sender(main, pauses=NO_END, lease=LEASE) as running:
            alone = mail(mailbox)
            await home.put(alone)
            await home.until(lambda: bool(running.engine._paused))
            await home.put(urgent)
            hold: Retry = await home.hears(urgent, Retry)
            assert (hold.hold, hold.reason, hold.attempt) == (True, reason, 0)
            assert timeline(home, urgent.id) == ["held"] and home.said(alone) == []


async def test_nobody_listens_and_another_one_does(home: House) -> None:
    """Surely not sent: failed over at once, and a line of its own says so."""
    one = mail("ann")
    async with Catcher() as catcher, relay(free_port()) as main, relay(catcher.port, "spare") as spare:
        async with home.sender(main, spare, lease=LEASE):
            await home.put(one)
            retry: Retry = await home.hears(one, Retry)
            assert retry.at - now() < timedelta(seconds=1)
            await home.put(retry.due)
            await home.hears(one, Sent)
        assert timeline(home, one.id) == ["retrying", "failed_over", "sent"]
        assert len(catcher.mails()) == 1
