"""Mail servers that speak as few do: what became of a mail is exact all the same, and no mail pays for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from kit.delivery.outcomes import Accepted, Halted, Refused, Unavailable
from services.email_sender.providers.smtp.provider import Smtp
from tests.services.email_sender.mail_server import DROP, Scripted, scripted
from tests.services.email_sender.test_smtp import parcel, said_by, smtp

ALONE: tuple[str, ...] = ("SIZE 10000000",)
IN_A_ROW: tuple[str, ...] = ("PIPELINING", *ALONE)
AT_ONCE: tuple[str, ...] = ("CHUNKING", *IN_A_ROW)


class Few(dict[str, str]):
    """Answers of a server that takes so many mails on one connection, and then no more."""

    def __init__(self, script: Scripted, most: int, then: str) -> None:
        super().__init__()
        self.script, self.most, self.then = script, most, then

    def get(self, word: str, usual: str = "") -> str:  # type: ignore[override]
        if word == "EHLO":
            self.left = self.most
        if word == "MAIL":
            self.left -= 1
            return self.then if self.left < 0 else usual
        return usual


ENOUGH = "421 4.7.0 enough for one connection"


@pytest.mark.parametrize(
    ("offers", "then"),
    [(ALONE, ENOUGH), (ALONE, DROP), (IN_A_ROW, ENOUGH), (IN_A_ROW, DROP), (AT_ONCE, ENOUGH)],
    ids=["one by one", "one by one, without a word", "pipelined", "pipelined, without a word", "chunked"],
)
async def test_a_relay_that_takes_a_few_mails_on_each_connection_gets_the_next_on_another(
    offers: tuple[str, ...], then: str
) -> None:
    async with scripted(offers=offers) as script, smtp(script.port) as provider:
        script.answers = Few(script, 3, then)
        said = [await provider.hand_over(parcel()) for _ in range(8)]
    assert all(isinstance(one, Accepted) for one in said), said
    assert script.connections == 3


@asynccontextmanager
async def server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[Smtp]:
    """A relay that is nothing but this conversation."""

    async def talks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        writer.close()

    listening = await asyncio.start_server(talks, "127.0.0.1", 0)
    async with listening, smtp(listening.sockets[0].getsockname()[1]) as provider:
        yield provider


@pytest.mark.parametrize("offers", [IN_A_ROW, AT_ONCE], ids=["pipelined", "chunked"])
async def test_a_server_that_closes_after_its_greeting_has_surely_not_got_it(offers: tuple[str, ...]) -> None:
    async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.write("".join(f"250-{offer}\r\n" for offer in ("odd", *offers)).encode() + b"250 HELP\r\n")

    async with server(closes) as provider:
        said = await provider.hand_over(parcel())
    assert isinstance(said, Unavailable) and said.blames_provider, said


async def test_421_in_the_middle_of_a_message_is_surely_not_sent() -> None:
    async def loses_patience(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await reader.readline()
        writer.write(b"250-odd\r\n250 PIPELINING\r\n")
        await reader.readuntil(b"DATA\r\n")
        writer.write(b"250 ok\r\n250 ok\r\n354 go on\r\n")
        await reader.readexactly(100_000)
        writer.write(b"421 4.4.2 this takes too long\r\n")
        await writer.drain()

    async with server(loses_patience) as provider:
        said = await provider.hand_over(parcel(text="word " * 200_000))
    assert isinstance(said, Unavailable) and said.detail == "421 4.4.2 this takes too long"


@pytest.mark.parametrize(
    ("answers", "reason", "detail"),
    [
        (
            {"RCPT": "550-5.1.1 The email account that you tried to reach\r\n550 5.1.1 does not exist"},
            "recipient_refused",
            "550 5.1.1 The email account that you tried to reach",
        ),
        ({"RCPT": "550 5.1.1 nobody", "DATA": "354 go on all the same"}, "recipient_refused", "550 5.1.1 nobody"),
        ({"DOT": "554-5.7.1 spam\r\n554 5.7.1 more of it"}, "message_refused", "554 5.7.1 spam"),
    ],
    ids=["of several lines", "and yet it takes a message", "after the dot"],
)
async def test_a_refusal_in_any_form_is_one(answers: dict[str, str], reason: str, detail: str) -> None:
    async with scripted(answers) as script:
        said = await said_by(script)
    assert isinstance(said, Refused) and said.reason == reason and (said.detail or "").startswith(detail), said


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("answer", ["503 Error: need EHLO and AUTH first", "503 5.5.1 bad sequence", "502 5.5.1 no"])
async def test_a_conversation_that_a_server_does_not_want_fails_no_mail(step: str, answer: str) -> None:
    """It would say so of every mail: they are kept, and somebody is told."""
    async with scripted({step: answer}) as script:
        said = await said_by(script)
    assert said == Halted("provider_configuration", answer, alarming=True)


async def test_a_reset_that_is_refused_costs_no_mail_behind_it() -> None:
    async with scripted({"RSET": "502 5.5.1 unknown"}, offers=AT_ONCE) as script:
        async with smtp(script.port, connections=1) as provider:
            said = await asyncio.gather(*(provider.hand_over(parcel()) for _ in range(6)))
    assert all(isinstance(one, Accepted) for one in said), said
