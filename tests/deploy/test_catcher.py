"""The mail catcher keeps what it took, shows it, and misbehaves exactly as the address asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiosmtplib
import httpx
import pytest

from deploy.local.catcher import Catcher, Mailbox
from deploy.local.catcher.behaviour import CATALOGUE, Behave, behaviour
from tests.deploy.smtp import Wire, handed_over, letter, send
from tests.waiting import PATIENCE


@pytest.fixture
async def catcher() -> AsyncIterator[Catcher]:
    async with Catcher() as catcher:
        yield catcher


async def test_a_mail_is_kept_as_it_was_sent(catcher: Catcher) -> None:
    """Sender, recipients, subject, Message-ID, copy mark and text come out as they went in."""
    mail = letter("Ann@example.org", "<a@test>", "Déjà vu", "Été\n")
    mail["Tocsin-Copy"] = "possible"
    await send(catcher.port, mail)
    [kept] = await catcher.wait_for(to="ann@example.org")
    assert (kept.sender, kept.recipients, kept.subject) == ("tocsin@localhost", ("Ann@example.org",), "Déjà vu")
    assert (kept.message_id, kept.copy, kept.text) == ("<a@test>", "possible", "Été\n")


async def test_a_wait_ends_when_the_mail_comes(catcher: Catcher) -> None:
    """Whoever waits is woken by the mail, and one who waits in vain is told what there was."""
    waiting = asyncio.create_task(catcher.wait_for(2, subject="later"))
    await send(catcher.port, letter("x@example.org", subject="sooner"))
    await send(catcher.port, letter("x@example.org", subject="later 1"))
    await send(catcher.port, letter("x@example.org", subject="later 2"))
    assert [mail.subject for mail in await waiting] == ["later 1", "later 2"]
    with pytest.raises(TimeoutError, match="0 of 1 mails"):
        await catcher.wait_for(subject="never", timeout=0.01)


async def test_pipelined_commands_are_answered_in_order(catcher: Catcher) -> None:
    """PIPELINING, 8BITMIME and SMTPUTF8 are offered and hold."""
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=catcher.port, start_tls=False)
    await client.connect()
    await client.ehlo()
    assert all(client.supports_extension(name) for name in ("pipelining", "8bitmime", "smtputf8", "size"))
    await client.quit()
    wire = await Wire.open(catcher.port)
    one = "MAIL FROM:<jürgen@exämple.org> SMTPUTF8 BODY=8BITMIME\r\nRCPT TO:<pelé@example.org>\r\nDATA\r\n".encode()
    wire.write(one)
    assert await wire.codes(3) == [250, 250, 354]
    wire.write("Subject: Ünï\r\n\r\nbody\r\n..dot\r\n.\r\n".encode() + one)
    assert await wire.codes(4) == [250, 250, 250, 354]
    wire.close()
    [mail] = catcher.mails(to="pelé@example.org")
    assert mail.sender == "jürgen@exämple.org"
    assert mail.source.endswith(b"body\r\n.dot\r\n")


@pytest.mark.parametrize(
    ("address", "code", "enhanced"),
    [
        ("421+x@example.org", 421, "4.3.2"),
        ("450@example.org", 450, "4.2.1"),
        ("550+anything@example.org", 550, "5.1.1"),
        ("552@example.org", 552, "5.2.2"),
        ("550-5.7.1@example.org", 550, "5.7.1"),
        ("550-bare@example.org", 550, "as th"),
        ("550-5.7.1-rate@example.org", 550, "5.7.1"),
    ],
)
async def test_refused_at_rcpt(catcher: Catcher, address: str, code: int, enhanced: str) -> None:
    """A code as the local part is the answer to RCPT, and nothing is kept."""
    with pytest.raises((aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPServerDisconnected)) as refused:
        await send(catcher.port, letter(address))
    if isinstance(refused.value, aiosmtplib.SMTPRecipientsRefused):
        assert (refused.value.recipients[0].code, refused.value.recipients[0].message[:5]) == (code, enhanced)
    [attempt] = catcher.tries(address)
    assert (attempt.step, attempt.answer[:9]) == ("rcpt", f"{code} {enhanced}")
    assert catcher.mails() == []


async def test_421_closes_the_connection(catcher: Catcher) -> None:
    """421 says good-bye: the answer comes, then the end."""
    wire = await Wire.open(catcher.port)
    wire.write(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<421+x@example.org>\r\n")
    assert await wire.codes(2) == [250, 421]
    assert await wire.closed()
    wire.close()


async def test_refused_at_data_leaves_the_connection_usable(catcher: Catcher) -> None:
    """`554data` is refused before the text is asked for, and the next mail goes through."""
    wire = await Wire.open(catcher.port)
    wire.write(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<554data@example.org>\r\nDATA\r\n")
    assert await wire.codes(3) == [250, 250, 554]
    wire.write(b"RSET\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n")
    assert await wire.codes(4) == [250, 250, 250, 354]
    wire.write(b"Subject: x\r\n\r\n.\r\n")
    assert await wire.codes(1) == [250]
    wire.close()
    assert [mail.recipients for mail in catcher.mails()] == [("b@example.org",)]


async def test_refused_after_the_dot(catcher: Catcher) -> None:
    """`451dot` refuses the mail once it has been read."""
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(catcher.port, letter("451dot@example.org"))
    assert refused.value.code == 451
    assert catcher.mails() == []


async def test_once_450_takes_the_second_try_of_the_same_mail(catcher: Catcher) -> None:
    """Each Message-ID is refused once for an address, however often and in whatever order they come."""
    to = "once-450+a@example.org"
    for message_id in ("<1@test>", "<2@test>"):
        with pytest.raises(aiosmtplib.SMTPDataError) as refused:
            await send(catcher.port, letter(to, message_id))
        assert refused.value.code == 450
    await send(catcher.port, letter(to, "<2@test>"))
    await send(catcher.port, letter(to, "<1@test>"))
    assert [mail.message_id for mail in catcher.mails(to=to)] == ["<2@test>", "<1@test>"]
    assert [attempt.answer[:3] for attempt in catcher.tries(to)] == ["450", "450", "250", "250"]


@pytest.mark.parametrize(("address", "kept"), [("drop-dot@example.org", 0), ("keep-drop-dot@example.org", 1)])
async def test_dropped_after_the_dot(catcher: Catcher, address: str, kept: int) -> None:
    """The sender cannot tell whether the mail was taken: once it was, once it was not."""
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(catcher.port, letter(address))
    assert len(catcher.mails(to=address)) == kept
    assert [attempt.answer for attempt in catcher.tries(address)] == [""]


@pytest.mark.parametrize(("address", "kept"), [("silent-dot@example.org", 0), ("keep-silent-dot@example.org", 1)])
async def test_silent_after_the_dot(catcher: Catcher, address: str, kept: int) -> None:
    """No answer ever comes after the final dot."""
    wire = await handed_over(catcher.port, letter(address))
    await catcher.wait_for_tries(address)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await wire.codes(1)
    wire.close()
    assert len(catcher.mails(to=address)) == kept


@pytest.mark.parametrize("address", ["drop-rcpt@example.org", "drop-data@example.org"])
async def test_dropped_before_the_text(catcher: Catcher, address: str) -> None:
    """The connection closes at RCPT or DATA, without an answer."""
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(catcher.port, letter(address))
    assert catcher.mails() == []


@pytest.mark.parametrize("address", ["slow@example.org", "drip@example.org"])
async def test_a_slow_answer_is_an_answer(catcher: Catcher, address: str) -> None:
    """The mail is taken; the sender with little patience does not hear of it, the patient one does."""
    wire = await handed_over(catcher.port, letter(address))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await wire.codes(1)
    wire.close()
    assert len(await catcher.wait_for(to=address)) == 1
    await send(catcher.port, letter(address, "<2@test>"))
    assert len(catcher.mails(to=address)) == 2


async def test_any_misbehaving_recipient_decides(catcher: Catcher) -> None:
    """Among several recipients the one that asks for something gets it."""
    mail = letter("ann@example.org")
    mail["Cc"] = "drop-dot@example.org"
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(catcher.port, mail)
    assert catcher.mails() == []


def test_the_catalogue_names_what_there_is() -> None:
    """Every documented address does something, apart from the first."""
    (plain, _), *others = CATALOGUE
    assert behaviour(f"{plain}example.org") == Behave()
    assert all(behaviour(f"{address}example.org") != Behave() for address, _ in others)


async def test_the_oldest_go_first_and_numbers_never_come_back() -> None:
    """The mailbox is bounded in number and size."""
    mailbox = Mailbox(keep=3, keep_bytes=2000)
    for number in range(5):
        mailbox.add("a@example.org", ["b@example.org"], b"Message-ID: <%d@test>\r\n\r\n" % number)
    assert [mail.id for mail in mailbox.find()] == [3, 4, 5]
    mailbox.add("a@example.org", ["b@example.org"], b"\r\n" + b"x" * 1990)
    assert [mail.id for mail in mailbox.find()] == [6]
    mailbox.clear()
    assert mailbox.add("a@example.org", ["b@example.org"], b"\r\n") == 7
    mailbox.close()


async def test_mails_outlive_the_process_in_a_file(tmp_path: Path) -> None:
    """With a file the next catcher still shows them."""
    async with Catcher(file=tmp_path / "mails.db") as first:
        await send(first.port, letter("a@example.org"))
    async with Catcher(file=tmp_path / "mails.db") as second:
        assert [mail.recipients for mail in second.mails()] == [("a@example.org",)]


@pytest.fixture
async def page() -> AsyncIterator[tuple[Catcher, httpx.AsyncClient]]:
    async with Catcher(page_port=0) as catcher:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{catcher.page_port}", timeout=PATIENCE) as client:
            yield catcher, client


async def test_the_api_lists_shows_and_clears(page: tuple[Catcher, httpx.AsyncClient]) -> None:
    """What the page shows is what the API says."""
    catcher, client = page
    mail = letter("a@example.org", "<a@test>", "One", "text\n")
    mail.add_alternative("<p>html</p><script>alert(1)</script>", subtype="html")
    mail.add_attachment(b"12345", maintype="application", subtype="pdf", filename="bill.pdf")
    await send(catcher.port, mail)
    await send(catcher.port, letter("b@example.org", "<b@test>", "Two"))
    listed = (await client.get("/api/messages")).json()
    assert [item["subject"] for item in listed["items"]] == ["Two", "One"] and listed["total"] == 2
    for query in ({"to": "A@example.org"}, {"subject": "On"}, {"message_id": "<a@test>"}):
        [item] = (await client.get("/api/messages", params=query)).json()["items"]
        assert item["message_id"] == "<a@test>"
    shown = (await client.get(f"/api/messages/{item['id']}")).json()
    assert (shown["text"].strip(), shown["html"].strip()) == ("text", "<p>html</p><script>alert(1)</script>")
    assert shown["attachments"] == [{"name": "bill.pdf", "content_type": "application/pdf", "size": 5}]
    file = await client.get(f"/api/messages/{item['id']}/attachments/0")
    assert (file.content, file.headers["content-type"]) == (b"12345", "application/octet-stream")
    assert file.headers["content-disposition"] == "attachment; filename*=utf-8''bill.pdf"
    assert (await client.get(f"/api/messages/{item['id']}/attachments/1")).status_code == 404
    source = await client.get(f"/api/messages/{item['id']}/source")
    assert source.headers["content-type"].startswith("text/plain") and b"Message-ID: <a@test>" in source.content
    assert (await client.delete("/api/messages")).status_code == 204
    assert (await client.get("/api/messages")).json() == {"items": [], "total": 0}
    assert (await client.get("/api/messages/1")).status_code == 404


async def test_a_long_poll_answers_when_the_mail_comes(page: tuple[Catcher, httpx.AsyncClient]) -> None:
    """`wait` holds the answer back until a newer fitting mail is there, or the time is up."""
    catcher, client = page
    waiting = asyncio.create_task(client.get("/api/messages", params={"after": 1, "wait": 50, "to": "b@example.org"}))
    for to in ("b@example.org", "a@example.org", "b@example.org"):
        await send(catcher.port, letter(to))
    assert [item["id"] for item in (await waiting).json()["items"]] == [3]
    assert (await client.get("/api/messages", params={"after": 3, "wait": 1})).json()["items"] == []


async def test_who_waits_is_let_go_at_the_end() -> None:
    """A long poll is answered when the catcher stops."""
    async with Catcher(page_port=0) as catcher:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{catcher.page_port}", timeout=PATIENCE) as client:
            waiting = asyncio.create_task(client.get("/api/messages", params={"wait": 50}))
            await client.get("/health/ready")
            stopping = asyncio.create_task(catcher.stop())
            assert (await waiting).json()["items"] == []
            await stopping


async def test_the_page_runs_only_its_own_script(page: tuple[Catcher, httpx.AsyncClient]) -> None:
    """The page is served with a policy that allows its own files alone, and to no stranger's name."""
    _, client = page
    answer = await client.get("/")
    assert answer.status_code == 200 and "script-src 'self';" in answer.headers["content-security-policy"]
    for name in ("page.js", "page.css", "api/behaviours", "api/tries", "health/ready"):
        assert (await client.get(f"/{name}")).status_code == 200
    assert (await client.get("/api/messages", headers={"Host": "evil.example"})).status_code == 400
