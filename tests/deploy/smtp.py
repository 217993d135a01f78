"""A real SMTP client for the tests, and a bare one that shows what goes over the wire."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage
from email.policy import SMTP

import aiosmtplib

from tests.waiting import PATIENCE


def letter(to: str, message_id: str = "<1@test>", subject: str = "Hello", text: str = "Good day\n") -> EmailMessage:
    """A small mail."""
    mail = EmailMessage()
    mail["From"] = "tocsin@localhost"
    mail["To"] = to
    mail["Subject"] = subject
    mail["Message-ID"] = message_id
    mail.set_content(text)
    return mail


async def send(port: int, mail: EmailMessage, *, timeout: float = PATIENCE) -> aiosmtplib.response.SMTPResponse | str:
    """Sends over a connection of its own and returns the last answer's text."""
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, timeout=timeout, start_tls=False) as client:
        _, answer = await client.send_message(mail)
        return answer


async def handed_over(port: int, mail: EmailMessage) -> Wire:
    """A mail up to its final dot, at a server that does nothing strange before; the answer is for the caller."""
    wire = await Wire.open(port)
    wire.write(f"MAIL FROM:<{mail['From']}>\r\nRCPT TO:<{mail['To']}>\r\nDATA\r\n".encode())
    assert await wire.codes(3) == [250, 250, 354]
    wire.write(mail.as_bytes(policy=SMTP) + b".\r\n")
    return wire


class Wire:
    """A connection to which the test writes bytes itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> Wire:
        wire = cls(*await asyncio.open_connection("127.0.0.1", port))
        assert await wire.codes(1) == [220]
        wire.write(b"EHLO test\r\n")
        await wire.codes(1)
        return wire

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def codes(self, count: int) -> list[int]:
        """The codes of the next answers, each of which may have several lines."""
        codes: list[int] = []
        async with asyncio.timeout(PATIENCE):
            while len(codes) < count:
                line = await self.reader.readline()
                if not line:
                    raise ConnectionResetError("closed")
                if line[3:4] != b"-":
                    codes.append(int(line[:3]))
        return codes

    async def closed(self) -> bool:
        """Waits for the other side's end; False when it said something instead."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read() == b""

    def close(self) -> None:
        self.writer.close()
