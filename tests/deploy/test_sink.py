"""The sink counts every mail and knows copies apart, however the bytes are cut."""

from __future__ import annotations

import pytest

from deploy.local.sink import Sink, ask, header
from tests.deploy.smtp import Wire, letter, send
from tests.waiting import PATIENCE

MAIL = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"


def text(message_id: str, extra: str = "") -> bytes:
    return f"Subject: x\r\nMessage-ID: {message_id}\r\n{extra}\r\nbody\r\n..\r\n.\r\n".encode()


async def test_a_real_client_is_content() -> None:
    """aiosmtplib sends to it as to any server."""
    async with Sink() as sink:
        await send(sink.port, letter("b@example.org", "<1@test>"))
        assert sink.count.message_ids == {b"<1@test>": 1}


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_pipelined_mails_are_counted(size: int) -> None:
    """Mails back to back, cut into pieces of any size, and copies told by their Message-ID and mark."""
    stream = MAIL + text("<1@test>") + MAIL + text("<2@test>") + MAIL + text("<1@test>", "tocsin-copy: possible\r\n")
    stream += MAIL + b".\r\n"
    async with Sink() as sink:
        wire = await Wire.open(sink.port)
        for start in range(0, len(stream), size):
            wire.write(stream[start : start + size])
            await wire.writer.drain()
        assert await wire.codes(16) == [250, 250, 354, 250] * 4
        await sink.wait_for(4, timeout=PATIENCE)
        wire.close()
        told = await ask(sink.port)
        assert {key: told[key] for key in ("mails", "distinct", "copies", "marked")} == {
            "mails": 4,
            "distinct": 3,
            "copies": 1,
            "marked": 1,
        }
        await ask(sink.port, "XCLEAR")
        assert (await ask(sink.port))["mails"] == 0


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_chunked_mails_are_counted(size: int) -> None:
    """RFC 3030: no dot ends them, and a mail may come in several chunks."""
    first, second = b"Message-ID: <1@test>\r\n\r\n.\r\nQUIT\r\n", b"message-id: <2@test>\r\nTocsin-Copy: possible\r\n"
    stream = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nBDAT %d LAST\r\n%b" % (len(first), first)
    stream += b"RSET\r\nBDAT %d\r\n%bBDAT 0 LAST\r\nNOOP\r\n" % (len(second), second)
    async with Sink() as sink:
        wire = await Wire.open(sink.port)
        for start in range(0, len(stream), size):
            wire.write(stream[start : start + size])
            await wire.writer.drain()
        assert await wire.codes(7) == [250] * 7
        wire.close()
    assert sink.count.message_ids == {b"<1@test>": 1, b"<2@test>": 1} and sink.count.marked.total() == 1
    assert sink.count.octets == len(first + second)


async def test_a_wait_in_vain_says_what_there_was() -> None:
    """The figure is in the error."""
    async with Sink() as sink:
        with pytest.raises(TimeoutError, match="0 of 3 mails"):
            await sink.wait_for(3, timeout=0.01)


def test_headers_are_found_whatever_their_case_and_folding() -> None:
    """First or later, upper or lower case, folded or not, and only in the name's own place."""
    head = b"MESSAGE-ID: <1@test>\r\nX-Message-ID: <2@test>\r\nTocsin-Copy:\r\n possible\r\nSubject: message-id: 3"
    assert header(head, b"message-id") == b"<1@test>"
    assert header(head, b"tocsin-copy") == b"possible"
    assert header(head, b"absent") == b""
