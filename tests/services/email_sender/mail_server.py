"""A mail server of a page that says what a script tells it to: for what a well-behaved one never does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

SILENCE = ""
"""As an answer: none, ever."""
DROP = "drop"
"""As an answer: the connection closes."""


@dataclass
class Scripted:
    """`answers` by the first word of a command ("BANNER", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "DOT", "BDAT", ...),
    or by a whole command; "BDAT ann@example.com" is the one that brings the message to that recipient."""

    answers: Mapping[str, str] = field(default_factory=dict)
    offers: tuple[str, ...] = ("PIPELINING", "SIZE 10000000", "AUTH PLAIN LOGIN")
    tls: ssl.SSLContext | None = None
    port: int = 0
    said: list[str] = field(default_factory=list)
    connections: int = 0
    open_ones: set[asyncio.StreamWriter] = field(default_factory=set)
    slow: asyncio.Event | None = None
    """Set: the answer to the final dot waits for it."""

    def answer(self, word: str, usual: str) -> str:
        return self.answers.get(word, usual)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_ones.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)
        self.open_ones.discard(writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await self._say(writer, self.answer("BANNER", "220 scripted")):
            return
        to = ""
        while line := await reader.readline():
            command = line.decode().strip()
            self.said.append(command)
            word = command.split(" ")[0].upper()
            if word == "RCPT":
                to = command
            if word == "BDAT":
                await reader.readexactly(int(command.split(" ")[1]))
                command = f"BDAT {to[len('RCPT TO:<') : -1]}"
            usual = "503 5.5.1 no valid recipients" if word == "BDAT" and to in self.answers else self._usual(word)
            if not await self._say(writer, self.answer(command, self.answer(word, usual))):
                return
            if word == "QUIT":
                return
            if word == "DATA" and self.answer("DATA", "354").startswith("354"):
                await self._message(reader)
                if self.slow:
                    await self.slow.wait()
                if not await self._say(writer, self.answer("DOT", "250 2.0.0 taken")):
                    return
            if word == "STARTTLS" and self.tls:
                await writer.start_tls(self.tls)

    def _usual(self, word: str) -> str:
        match word:
            case "EHLO":
                return "\r\n".join(["250-scripted", *(f"250-{offer}" for offer in self.offers), "250 HELP"])
            case "AUTH":
                return "235 2.7.0 welcome"
            case "DATA":
                return "354 go on"
            case "STARTTLS":
                return "220 ready"
            case _:
                return "250 2.0.0 ok"

    async def _message(self, reader: asyncio.StreamReader) -> None:
        lines = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionError
            lines.append(line)
        self.said.append(b"".join(lines).decode())

    async def _say(self, writer: asyncio.StreamWriter, text: str) -> bool:
        if text == SILENCE:
            await asyncio.Event().wait()
        if text == DROP:
            return False
        writer.write(text.encode() + b"\r\n")
        await writer.drain()
        return not text.startswith("421")


@asynccontextmanager
async def scripted(
    answers: Mapping[str, str] | None = None, *, tls_from_the_start: bool = False, **options: object
) -> AsyncIterator[Scripted]:
    script = Scripted(answers or {}, **options)  # type: ignore[arg-type]
    server = await asyncio.start_server(script.talk, "127.0.0.1", 0, ssl=script.tls if tls_from_the_start else None)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        for writer in list(script.open_ones):
            writer.close()
