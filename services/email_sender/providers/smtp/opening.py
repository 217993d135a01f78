"""A session's beginning: connection, TLS and AUTH by aiosmtplib, and what it means when that fails."""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import Final, Literal

from aiosmtplib import SMTP
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Halted, Outcome, Unavailable, plain
from services.email_sender.providers.smtp.chunked import Chunked
from services.email_sender.providers.smtp.dialogue import Dialogue, transport_of
from services.email_sender.providers.smtp.session import Offers, Session
from services.email_sender.rules.replies import Reply, Step, outcome

CONNECT_SECONDS: Final = 10.0
"""For each step of the opening; all together end with the mail's own deadline."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail is handed over. `security`: TLS from the start, STARTTLS (which it must offer), or none."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    username: str | None = None
    password: str | None = None


class NotOpened(Exception):
    """There is no session; `outcome` is what that means for the mail that wanted one."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


async def opened(relay: Relay, tls: ssl.SSLContext | None, deadline: float) -> Session:
    """A session with `relay`. Raises NotOpened."""
    client = new_client(relay, tls)
    try:
        async with asyncio.timeout_at(deadline):
            await client.connect()
            await greeted(client)
    except (SMTPException, OSError, TimeoutError, ValueError) as error:
        client.close()
        raise NotOpened(_meaning(error)) from error
    except BaseException:
        client.close()
        raise
    offers = Offers(*map(client.supports_extension, ("pipelining", "size", "smtputf8", "chunking")))
    kind = Chunked if offers.chunking and offers.pipelining else Session
    return kind(Dialogue(transport_of(client.transport)), offers, asyncio.get_running_loop().time())


def new_client(relay: Relay, tls: ssl.SSLContext | None, *, opens: bool = True) -> SMTP:
    """Not connected yet. With `opens`, connecting says STARTTLS and logs in, too."""
    return SMTP(
        hostname=relay.host,
        port=relay.port,
        username=relay.username if opens else None,
        password=relay.password if opens else None,
        use_tls=relay.security == "tls",
        start_tls=opens and relay.security == "starttls",
        tls_context=tls,
        local_hostname=_our_name(),
        timeout=CONNECT_SECONDS,
    )


async def greeted(client: SMTP) -> None:
    """EHLO is said anew after STARTTLS, and not at all before a plain connection needs it."""
    if client.is_ehlo_or_helo_needed:
        try:
            await client.ehlo()
        except SMTPHeloError:
            await client.helo()


def _meaning(error: Exception) -> Outcome:
    match error:
        case SMTPAuthenticationError():
            return outcome(Step.AUTH, Reply.of(error.code, error.message))
        case SMTPResponseException() if 400 <= error.code < 600:
            return outcome(Step.CONNECT, Reply.of(error.code, error.message))
        case OSError() | SMTPConnectError() | SMTPTimeoutError() | SMTPServerDisconnected() | SMTPResponseException():
            return Unavailable(PROVIDER_UNAVAILABLE, plain(str(error)) or type(error).__name__)
        case _:  # it does not offer what we were told to use: STARTTLS, or a way to log in
            return Halted("provider_configuration", plain(str(error)), alarming=True)


def _our_name() -> str:
    """For EHLO: without asking a name server."""
    name = socket.gethostname().strip()
    return name if name and all(c.isalnum() or c in ".-" for c in name) else "localhost"
