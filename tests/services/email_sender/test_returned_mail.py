"""Mail comes back to our own port: a receipt on Kafka, or a clear answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from contracts.events import Receipt
from contracts.topics import RECEIPTS
from kit.bus.publisher import Publisher
from kit.clock import utc_now
from kit.delivery.called_back import CalledBack
from kit.delivery.rules import Result
from kit.settings import KafkaSettings
from kit.web_server import PortTaken
from services.email_sender.returned.conversation import LARGEST, MOST
from services.email_sender.returned.mail import ReturnedMail
from services.email_sender.rules.coming_back import meant_by
from services.email_sender.rules.return_address import ReturnAddress
from tests.services.email_sender.test_reports import sample
from tests.services.gateway.support import Others, others
from tests.waiting import PATIENCE

ID = UUID("01a3ffe3-8e05-73fd-a35f-04dc8c462986")
OURS = ReturnAddress("bounces@example.org", "a secret of the tests, long enough for signing")
SECOND = ReturnAddress("back@example.net", "a secret of the tests, long enough for signing")
GONE = "gone@example.com"
"""Whom the samples are about."""


def of(number: int = 2, to: str = GONE, by: ReturnAddress = OURS, ago: int = 0) -> str:
    """The return address of a hand-over to somebody, some days ago."""
    return by.of(ID, number, to, utc_now().toordinal() - ago)


HERE = of()


class Client:
    """Another mail server, line by line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def hear(self) -> str:
        """A whole answer, of several lines where it has them."""
        said = ""
        async with asyncio.timeout(PATIENCE):
            while not said or said.splitlines()[-1][3:4] == "-":
                line = (await self.reader.readline()).decode()
                if not line:
                    return said
                said += line
        return said

    async def say(self, line: str) -> str:
        self.writer.write(f"{line}\r\n".encode())
        return await self.hear()

    async def send(self, source: bytes, *, to: str = HERE, sender: str = "", hello: str = "EHLO") -> str:
        """One mail; the first answer that is not the hoped for one, or the last."""
        for line in (f"{hello} mx.example.net", f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>", "DATA"):
            answer = await self.say(line)
            if answer[0] not in "23":
                return answer
        self.writer.write(source.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
        return await self.hear()


@asynccontextmanager
async def calling(desk: ReturnedMail) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    client = Client(reader, writer)
    assert (await client.hear())[:3] in ("220", "421")
    try:
        yield client
    finally:
        writer.close()


@pytest.fixture
async def services(kafka: KafkaSettings) -> AsyncIterator[Others]:
    async with others(kafka, (RECEIPTS,), "email_sender.receipts") as found:
        yield found


@pytest.fixture
async def desk(services: Others) -> AsyncIterator[ReturnedMail]:
    async with listening(services.publisher) as found:
        yield found


@asynccontextmanager
async def listening(publisher: Publisher) -> AsyncIterator[ReturnedMail]:
    found = ReturnedMail([OURS, SECOND], publisher, "127.0.0.1", 0, "TOCSIN_RETURNED_MAIL_PORT")
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


@pytest.mark.parametrize("hello", ["EHLO", "HELO", "LHLO"])
async def test_p5_9_what_came_back_is_answered_when_kafka_has_it(
    desk: ReturnedMail, services: Others, hello: str
) -> None:
    async with calling(desk) as client:
        assert (await client.send(sample("postfix"), hello=hello)).startswith("250 2.0.0 taken\r")
    [receipt] = await services.hear(Receipt)
    assert (receipt.id, receipt.try_, receipt.channel, receipt.status) == (ID, 2, "email", "hard_bounce")
    assert receipt.code and receipt.code.startswith("550 5.1.1 <address>: Recipient address rejected")
    assert "gone" not in receipt.model_dump_json()


@pytest.mark.parametrize("name", ["postfix", "qmail", "exim_old"])
async def test_p3_10_who_forwards_to_somebody_who_is_gone_is_not_to_blame(
    desk: ReturnedMail, services: Others, name: str
) -> None:
    async with calling(desk) as client:
        await client.send(sample(name), to=of(to="forwards@example.net"))
        await client.send(sample(name), to=of(3, to="Gone@Example.com"))
    first, second = await services.hear(Receipt, 2)
    assert {first.try_: first.status, second.try_: second.status} == {2: "undelivered", 3: "hard_bounce"}


@pytest.mark.parametrize("name", ["postfix_forwarded", "sendmail_forwarded", "exim_forwarded"])
async def test_p3_10_nor_is_he_where_the_report_names_him_too(desk: ReturnedMail, services: Others, name: str) -> None:
    async with calling(desk) as client:
        await client.send(sample(name), to=of(to="ann@example.com"))
    [receipt] = await services.hear(Receipt)
    assert receipt.status == "undelivered"


async def test_what_was_signed_long_ago_is_refused_and_logged(
    desk: ReturnedMail,
) -> None:
    async with calling(desk) as client:
        for ago, answer in ((29, "250"), (60, "550")):
            with capture_logs() as logs:
                assert (await client.send(sample("postfix"), to=of(ago=ago))).startswith(answer)
            assert ("return_address_lapsed" in [one["event"] for one in logs]) is (ago == 60)


async def test_p5_9_twice_is_the_same_receipt(desk: ReturnedMail, services: Others) -> None:
    """The other server heard no answer, and comes again."""
    async with calling(desk) as client:
        for _ in range(2):
            await client.send(sample("gmail"))
    first, second = await services.hear(Receipt, 2)
    assert first.ce_id == second.ce_id


async def test_each_provider_has_its_address(desk: ReturnedMail, services: Others) -> None:
    async with calling(desk) as client:
        assert (await client.send(sample("qmail"), to=of(7, by=SECOND))).startswith("250")
    [receipt] = await services.hear(Receipt)
    assert receipt.try_ == 7


@pytest.mark.parametrize(
    "to",
    [
        "bounces@example.org",
        "bounces+token@example.org",
        HERE.replace("bounces", "other"),
        HERE.replace("@", "a@"),
        of(by=ReturnAddress("bounces@example.org", "another secret, which is long enough as well")),
        of(ago=60),
        "postmaster@example.org",
        "ann@example.com",
    ],
)
async def test_what_we_have_not_signed_is_refused_at_rcpt(desk: ReturnedMail, services: Others, to: str) -> None:
    """No open relay, and nobody can make up a bounce."""
    async with calling(desk) as client:
        await client.say("EHLO x")
        await client.say("MAIL FROM:<>")
        assert await client.say(f"RCPT TO:<{to}>") == (
            "550 5.1.1 no such return address: this installation has not signed it\r\n"
        )
        assert (await client.say("DATA")).startswith("503")
        assert (await client.send(sample("postfix"))).startswith("250 2.0.0 taken\r")
    assert len(await services.hear(Receipt)) == 1


async def test_one_recipient_at_a_time(desk: ReturnedMail) -> None:
    """So that each answer is about one, by LMTP too."""
    async with calling(desk) as client:
        for line in ("LHLO x", "MAIL FROM:<>", f"RCPT TO:<{HERE}>"):
            assert (await client.say(line)).startswith("250")
        assert (await client.say(f"RCPT TO:<{of(3)}>")).startswith("452 4.5.3")


async def test_p5_9_a_delay_says_that_it_was_taken(desk: ReturnedMail, services: Others) -> None:
    async with calling(desk) as client:
        assert (await client.send(sample("postfix_delayed"))).startswith("250 2.0.0 taken\r")
    [receipt] = await services.hear(Receipt)
    assert meant_by(receipt) == CalledBack(Result.SENT)


@pytest.mark.parametrize("name", ["vacation", "complaint_taken_back"])
@pytest.mark.parametrize("sender", ["", "ann@example.com"])
async def test_what_says_nothing_new_is_taken_and_left(
    desk: ReturnedMail, services: Others, name: str, sender: str
) -> None:
    """Nobody is answered by mail, so nothing can go round in circles."""
    async with calling(desk) as client:
        answer = await client.send(sample(name), sender=sender)
        taken = name != "complaint_taken_back" or not sender
        assert answer.startswith("250 2.0.0 taken, and says nothing new" if taken else "550 5.7.1 nobody reads"), answer
        await client.send(sample("postfix"))
    assert [receipt.status for receipt in await services.hear(Receipt)] == ["hard_bounce"]


async def test_who_writes_by_hand_is_told_that_nobody_reads_it(desk: ReturnedMail) -> None:
    async with calling(desk) as client:
        assert (await client.send(sample("human"), sender="ann@example.com")).startswith("550 5.7.1 nobody reads")
        assert (await client.send(sample("human"))).startswith("250")


async def test_a_report_about_delivery_comes_from_nobody(desk: ReturnedMail) -> None:
    """RFC 5321, 6.1: what has a sender is no report, however it looks."""
    async with calling(desk) as client:
        answer = await client.send(sample("postfix"), sender="mallory@example.com")
    assert answer.startswith("550 5.7.1 reports about delivery come from <>")


@pytest.mark.parametrize("to", [HERE, "bounces+complaints@example.org"])
@pytest.mark.parametrize("sender", ["", "abusedesk@isp.example"])
async def test_a_complaint_is_about_the_mail_it_brings(
    desk: ReturnedMail, services: Others, to: str, sender: str
) -> None:
    async with calling(desk) as client:
        answer = await client.send(sample("complaint", of(5)), to=to, sender=sender)
    assert answer.startswith("250 2.0.0 taken\r")
    [receipt] = await services.hear(Receipt)
    assert (receipt.try_, receipt.status, receipt.code) == (5, "complaint", "complaint (abuse)")


async def test_a_complaint_that_the_relay_passes_on_is_about_where_it_comes_back(
    desk: ReturnedMail, services: Others
) -> None:
    """Amazon SES puts a return address of its own into the mail, and passes on to ours what is said of it."""
    async with calling(desk) as client:
        await client.send(sample("ses_complaint"), to=of(5), sender="complaints@email-abuse.amazonses.example")
    [receipt] = await services.hear(Receipt)
    assert (receipt.try_, receipt.status) == (5, "complaint")


async def test_a_complaint_about_what_we_have_not_signed_is_left(desk: ReturnedMail, services: Others) -> None:
    async with calling(desk) as client:
        forged = sample("complaint")
        assert "nothing new" in await client.send(forged, to="bounces+complaints@example.org", sender="a@isp.example")
        assert "nothing new" in await client.send(sample("postfix"), to="bounces+complaints@example.org")
        await client.send(sample("postfix"))
    assert len(await services.hear(Receipt)) == 1


async def test_a_large_mail_is_refused(desk: ReturnedMail, services: Others) -> None:
    async with calling(desk) as client:
        assert f"250-SIZE {LARGEST}" in await client.say("EHLO x")
        assert (await client.say(f"MAIL FROM:<> SIZE={LARGEST + 1}")).startswith("552")
        assert (await client.send(sample("postfix") + b"\r\n" + b"x" * 70 * 1024)).startswith("500")
        assert (await client.send(sample("postfix") + (b"\r\n" + b"x" * 998) * (LARGEST // 1000))).startswith("552")
        assert (await client.send(sample("postfix"))).startswith("250 2.0.0 taken\r")


async def test_what_nobody_can_read_is_refused(desk: ReturnedMail) -> None:
    deep = b"".join(b"Content-Type: multipart/report; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5000))
    async with calling(desk) as client:
        answer = await client.send(deep)
        assert answer[:3] in ("554", "250"), answer
        assert (await client.send(sample("postfix"))).startswith("250 2.0.0 taken\r")


async def test_without_kafka_it_is_to_come_again(nowhere: Publisher) -> None:
    """Nothing is answered that could be lost."""
    async with listening(nowhere) as desk, calling(desk) as client:
        assert (await client.send(sample("postfix"))).startswith("451 4.3.0")
        assert (await client.send(sample("vacation"))).startswith("250")


@pytest.fixture
async def nowhere() -> Publisher:
    """Of a Kafka that is away."""
    return Publisher(KafkaSettings(bootstrap_servers="127.0.0.1:1"), "email_sender", deadline=0.3)


async def test_too_many_are_to_come_again(desk: ReturnedMail) -> None:
    callers = [await asyncio.open_connection("127.0.0.1", desk.port) for _ in range(MOST)]
    for reader, _ in callers:
        assert (await reader.readline()).startswith(b"220")
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    assert (await reader.readline()).startswith(b"421 4.3.2") and await reader.read() == b""
    for _, other in (*callers, (reader, writer)):
        other.close()


async def test_a_taken_port_names_its_setting(desk: ReturnedMail, services: Others) -> None:
    other = ReturnedMail([OURS], services.publisher, "127.0.0.1", desk.port, "TOCSIN_RETURNED_MAIL_PORT")
    with pytest.raises(PortTaken, match="TOCSIN_RETURNED_MAIL_PORT"):
        await other.start()


async def test_it_ends_though_somebody_is_still_talking(services: Others) -> None:
    async with listening(services.publisher) as desk:
        async with calling(desk) as client:
            await client.say("EHLO x")
            async with asyncio.timeout(PATIENCE):
                await desk.stop()
