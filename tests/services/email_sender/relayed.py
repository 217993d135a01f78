"""A mail, a provider, and what it says of the mail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from contracts.events import Content
from kit.delivery.outcomes import Outcome, Unavailable, Unknown
from kit.delivery.provider import Parcel
from services.email_sender.composing.mail import Author
from services.email_sender.providers.smtp.opening import Relay
from services.email_sender.providers.smtp.provider import Smtp
from services.email_sender.rules.return_address import ReturnAddress
from tests.kit.delivery.support import due
from tests.services.email_sender.mail_server import Scripted
from tests.waiting import PATIENCE

AUTHOR = Author.of("Tocsin <noreply@example.com>")
RETURNS = ReturnAddress("bounces@example.com", "a secret of the tests")
BUSY = Unavailable("provider_unavailable", "421 4.3.2 as the address asks")
SILENT_DOT = Unknown("unknown_outcome", "no answer after the end of the message")


def parcel(to: str = "ann@example.com", *, copy: bool = False, **content: Any) -> Parcel:
    told = {"subject": "Hello", "text": "Hi.\n.\n..dots\nBye."} | content
    return Parcel(due(content=Content(to=to, **told)), copy_possible=copy)


@asynccontextmanager
async def smtp(port: int, **options: Any) -> AsyncIterator[Smtp]:
    relay = Relay("127.0.0.1", port, options.pop("security", "none"), options.pop("username", None), "secret")
    provider = Smtp("smtp", relay, AUTHOR, **({"timeout": PATIENCE} | options))
    try:
        yield provider
    finally:
        await provider.close()


async def said_by(script: Scripted, **options: Any) -> Outcome:
    async with smtp(script.port, **options) as provider:
        return await provider.hand_over(parcel())
