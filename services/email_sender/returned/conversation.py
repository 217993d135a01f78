"""Another mail server's connection, by SMTP or LMTP: aiosmtpd, with one recipient at a time."""

import asyncio
from typing import Final, Protocol

from aiosmtpd.smtp import SMTP, Envelope, Session

from kit import logs

LARGEST: Final = 2 * 1024 * 1024
"""Bytes of a mail: reports that bring all of ours along fit in, with attachments."""
LONGEST_LINE: Final = 64 * 1024
SILENT_SECONDS: Final = 60.0
MOST: Final = 50
"""Conversations at a time: other servers come again."""
NOBODY: Final = "<>"
"""As aiosmtpd reads the empty sender of reports."""

FULL: Final = "421 4.3.2 too many connections, come again"
ONE_BY_ONE: Final = "452 4.5.3 one recipient at a time"
NOT_SIGNED: Final = "550 5.1.1 no such return address: this installation has not signed it"
LATER: Final = "451 4.3.0 it cannot be written down now, come again"

log = logs.get(__name__)


class Addressee(Protocol):
    """Who knows our return addresses, and answers a whole mail."""

    def is_known(self, address: str) -> bool: ...
    async def take(self, sender: str, recipient: str, source: bytes) -> str: ...


class Conversation(SMTP):
    """One client's connection; it is its own aiosmtpd handler."""

    line_length_limit = LONGEST_LINE

    def __init__(self, addressee: Addressee, open_ones: "set[Conversation]") -> None:
        super().__init__(
            self,
            data_size_limit=LARGEST,
            enable_SMTPUTF8=True,
            hostname="returned.tocsin",
            ident="Tocsin, returned mail",
            timeout=SILENT_SECONDS,
        )
        self._addressee = addressee
        self._open_ones = open_ones

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self._open_ones) >= MOST and isinstance(transport, asyncio.WriteTransport):
            transport.write(f"{FULL}\r\n".encode())
            transport.close()
            return
        super().connection_made(transport)
        self._open_ones.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self in self._open_ones:
            self._open_ones.discard(self)
            super().connection_lost(error)

    async def end(self) -> None:
        """Closes the connection and waits until its task has ended."""
        if self.transport is not None:
            self.transport.close()
        if self._handler_coroutine is not None:
            await asyncio.wait([self._handler_coroutine])

    async def smtp_LHLO(self, arg: str) -> None:
        """LMTP (RFC 2033): as there is one recipient at a time, it differs in its greeting alone."""
        await self.smtp_EHLO(arg)

    async def handle_exception(self, error: Exception) -> str:
        log.error("returned_mail_failed", error=type(error).__name__)
        return LATER

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", *responses[-1:]]

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if envelope.rcpt_tos:
            return ONE_BY_ONE
        if not self._addressee.is_known(address):
            return NOT_SIGNED
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        source, sender = envelope.original_content or b"", envelope.mail_from or ""
        return await self._addressee.take("" if sender == NOBODY else sender, envelope.rcpt_tos[0], source)
