"""A mail that rides behind another on one connection is none the worse for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from contracts.events import Content
from contracts.status import Lane
from deploy.local.catcher import Catcher
from kit.clock import utc_now
from kit.delivery.outcomes import Accepted, Outcome, Refused, Unavailable, Unknown
from kit.delivery.provider import Parcel
from services.email_sender.providers.smtp.pool import Pool
from services.email_sender.providers.smtp.provider import Smtp
from services.email_sender.providers.smtp.session import Session
from tests.kit.delivery.support import due
from tests.services.email_sender.relayed import RETURNS, parcel, smtp
from tests.waiting import PATIENCE

# ------------------------------------------------------------------------------------------------ one behind the other


@asynccontextmanager
async def narrow(port: int) -> AsyncIterator[Smtp]:
    """A provider whose second mail rides behind the first."""
    async with smtp(port) as provider:
        provider.pool = Pool(provider._open, many=1)
        yield provider


async def both(provider: Smtp, first: str, second: Parcel, time_out: float = PATIENCE) -> tuple[Outcome, Outcome]:
    """What becomes of two mails at once, the connection being open already; the first one has so much time."""
    await provider.hand_over(parcel("before@example.com"))
    provider.timeout = time_out
    one = asyncio.create_task(provider.hand_over(parcel(first)))
    await asyncio.sleep(0)  # it has begun
    provider.timeout = PATIENCE
    other = await provider.hand_over(second)
    return await one, other


async def test_two_mails_at_once_share_a_connection() -> None:
    async with Catcher() as catcher, narrow(catcher.port) as provider:
        said = await both(provider, "bob@example.com", parcel())
        assert all(isinstance(one, Accepted) for one in said)
        assert len(catcher.mails()) == 3
        assert [session.mails for session in provider.pool._idle] == [3]


async def test_each_mail_has_a_return_address_of_its_own_however_it_rides() -> None:
    """Pipelined behind one another, and each try."""
    parcels = [Parcel(parcel(f"n{n}@example.com").due, 1 + n % 3) for n in range(30)]
    async with Catcher() as catcher, smtp(catcher.port, returns=RETURNS) as provider:
        provider.pool = Pool(provider._open, many=2)
        await provider.hand_over(parcel())
        said = await asyncio.gather(*map(provider.hand_over, parcels))
        assert all(isinstance(one, Accepted) for one in said)
        senders = {mail.recipients: mail.sender for mail in catcher.mails()}
        assert any(session.mails > 1 for session in provider.pool._idle)
    for one in parcels:
        back = RETURNS.read(senders[one.to,], utc_now().toordinal())
        assert back and back[:2] == (one.due.id, one.try_) and back.went_to(one.to)


@pytest.mark.parametrize("mailbox", ["550", "450", "450data", "451dot", "554dot", "421", "drop-rcpt", "drop-data"])
async def test_who_rides_behind_a_mail_in_trouble_is_none_the_worse(mailbox: str) -> None:
    async with Catcher() as catcher, narrow(catcher.port) as provider:
        first, second = await both(provider, f"{mailbox}@example.com", parcel())
        assert isinstance(first, Refused | Unavailable) and isinstance(second, Accepted)
        assert len(catcher.mails(to="ann@example.com")) == 1


@pytest.mark.parametrize("mailbox", ["drop-dot", "keep-drop-dot"])
async def test_p5_2_a_drop_after_the_dot_is_unknown_for_its_own_mail_alone(mailbox: str) -> None:
    async with Catcher() as catcher, narrow(catcher.port) as provider:
        first, second = await both(provider, f"{mailbox}@example.com", parcel())
        assert isinstance(first, Unknown) and isinstance(second, Accepted)
        assert len(catcher.mails(to="ann@example.com")) == 1


async def test_who_rides_behind_a_silent_mail_goes_elsewhere_with_most_of_its_time_left() -> None:
    """Waiting for another's answer uses up no attempt of its own."""

    async def impatient(deadline: float) -> Session:
        session = await Smtp._open(provider, deadline)
        session._patience = 0.1
        return session

    async with Catcher() as catcher, narrow(catcher.port) as provider:
        provider.pool = Pool(impatient, many=1)
        for mailbox in ("silent-dot", "silent-rcpt"):
            behind = parcel(f"{mailbox[7:]}@example.net")
            first, second = await both(provider, f"{mailbox}@example.com", behind, time_out=3.0)
            assert isinstance(first, Unknown | Unavailable) and isinstance(second, Accepted)
            assert len(catcher.mails(to=f"{mailbox[7:]}@example.net")) == 1


async def test_an_urgent_mail_rides_behind_no_other() -> None:
    urgent = Parcel(due(Lane.URGENT, content=Content(to="ann@example.com", subject="Hello", text="Hi.")))
    async with Catcher() as catcher, narrow(catcher.port) as provider:
        await both(provider, "bob@example.com", urgent)
        assert sorted(session.mails for session in provider.pool._idle) == [1, 2]
