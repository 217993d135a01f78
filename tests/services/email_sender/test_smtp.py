"""What becomes of a mail at a real mail server, and at servers that do what no good one does."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import uvloop

from contracts.events import Content
from contracts.status import Lane
from contracts.suppression import Cause
from deploy.local.catcher import Catcher
from deploy.local.ports import free_port
from kit.clock import utc_now
from kit.delivery.outcomes import Accepted, Halted, Outcome, Refused, Unavailable, Unknown
from kit.delivery.provider import Parcel
from services.email_sender.providers.smtp.opening import Relay
from services.email_sender.providers.smtp.pool import Pool
from services.email_sender.providers.smtp.provider import Smtp
from tests.kit.delivery.support import due
from tests.services.email_sender.mail_server import DROP, SILENCE, scripted
from tests.services.email_sender.relayed import AUTHOR, BUSY, RETURNS, SILENT_DOT, parcel, said_by, smtp
from tests.waiting import PATIENCE, eventually


def awaiting(silence: bool) -> float:
    """Short where the time-out is what the test waits for, and yet long enough to come to the step that is not
    answered; elsewhere one that no busy machine reaches."""
    return 3.0 if silence else PATIENCE


async def test_taken_as_it_was_meant() -> None:
    one = parcel(html="<p>Hi</p>")
    async with Catcher() as catcher, smtp(catcher.port, returns=RETURNS) as provider:
        assert isinstance(await provider.hand_over(one), Accepted)
        [mail] = catcher.mails()
    back = RETURNS.of(one.due.id, 1, "ann@example.com", utc_now().toordinal())
    assert (mail.sender, mail.recipients) == (back, ("ann@example.com",))
    assert mail.message_id == f"<{one.due.id}@example.com>" and mail.copy is None
    assert mail.text.replace("\r\n", "\n").rstrip() == "Hi.\n.\n..dots\nBye." and "<p>Hi</p>" in mail.html


async def test_p5_2_a_possible_copy_is_flagged_under_the_same_message_id() -> None:
    one = parcel()
    async with Catcher() as catcher, smtp(catcher.port) as provider:
        await provider.hand_over(one)
        await provider.hand_over(Parcel(one.due, 2, copy_possible=True))
        first, second = catcher.mails()
    assert first.message_id == second.message_id
    assert (first.copy, second.copy) == (None, "possible")


@pytest.mark.parametrize(
    ("mailbox", "expected"),
    [
        ("421", BUSY),
        ("450", Unavailable("recipient_deferred", "450 4.2.1 as the address asks")),
        ("450data", Unavailable("recipient_deferred", "450 4.2.1 as the address asks")),
        ("451dot", Unavailable("provider_unavailable", "451 4.3.0 as the address asks")),
        ("drop-rcpt", Unavailable("provider_unavailable", "no answer to RCPT")),
        ("drop-data", Unavailable("provider_unavailable", "no answer to DATA")),
        ("silent-rcpt", Unavailable("provider_unavailable", "no answer to RCPT")),
        ("silent-data", Unavailable("provider_unavailable", "no answer to DATA")),
        ("drop-dot", Unknown("unknown_outcome", "no answer after the end of the message")),
        ("keep-drop-dot", Unknown("unknown_outcome", "no answer after the end of the message")),
        ("silent-dot", SILENT_DOT),
        ("550", Refused("recipient_refused", "550 5.1.1 as the address asks", suppress=Cause.HARD_BOUNCE)),
        ("550-5.1.2", Refused("recipient_refused", "550 5.1.2 as the address asks", suppress=Cause.HARD_BOUNCE)),
        ("553-5.1.3", Refused("recipient_refused", "553 5.1.3 as the address asks", suppress=Cause.HARD_BOUNCE)),
        ("551", Refused("recipient_refused", "551 5.1.6 as the address asks", suppress=Cause.HARD_BOUNCE)),
        ("556-5.1.10", Refused("recipient_refused", "556 5.1.10 as the address asks", suppress=Cause.HARD_BOUNCE)),
        ("550-5.2.1", Refused("recipient_refused", "550 5.2.1 as the address asks", suppress=Cause.HARD_BOUNCE)),
        ("552", Unavailable("mailbox_full", "552 5.2.2 as the address asks", patient=True)),
        ("550-5.4.5dot", Halted("provider_quota", "550 5.4.5 as the address asks")),
        ("452", Halted("provider_quota", "452 4.5.3 as the address asks")),
        ("454", Halted("provider_quota", "454 4.7.0 as the address asks")),
        ("530-5.7.0", Halted("provider_configuration", "530 5.7.0 as the address asks", alarming=True)),
        ("550-5.7.1", Refused("message_refused", "550 5.7.1 as the address asks")),
        ("554data", Refused("message_refused", "554 5.7.1 as the address asks")),
        ("554dot", Refused("message_refused", "554 5.7.1 as the address asks")),
        ("552-5.3.4dot", Refused("message_refused", "552 5.3.4 as the address asks")),
    ],
)
async def test_what_an_answer_at_any_step_comes_to(mailbox: str, expected: Outcome) -> None:
    """Each row of the class table at a server that really answers so."""
    async with Catcher() as catcher, smtp(catcher.port, timeout=awaiting("silent" in mailbox)) as provider:
        assert await provider.hand_over(parcel(f"{mailbox}@example.com")) == expected
        provider.timeout = PATIENCE
        assert isinstance(await provider.hand_over(parcel()), Accepted), "the next mail is none the worse"
        assert len(catcher.mails(to="ann@example.com")) == 1


@pytest.mark.parametrize("offers", [("PIPELINING",), ()], ids=["pipelined", "one by one"])
@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"BANNER": "421 4.3.2 full house"}, Unavailable("provider_unavailable", "421 4.3.2 full house")),
        ({"BANNER": "554 go away"}, Halted("provider_configuration", "554 go away", alarming=True)),
        ({"MAIL": "451 4.3.0 later"}, Unavailable("provider_unavailable", "451 4.3.0 later")),
        ({"MAIL": DROP}, Unavailable("provider_unavailable", "no answer to MAIL")),
        ({"MAIL": SILENCE}, Unavailable("provider_unavailable", "no answer to MAIL")),
        ({"MAIL": "what?"}, Unavailable("provider_unavailable", "MAIL: 0 an answer that is none")),
        ({"RCPT": "550 no such user"}, Refused("recipient_refused", "550 no such user", suppress=Cause.HARD_BOUNCE)),
        ({"RCPT": "550-5.7.1 no\r\n550 5.7.1 never"}, Refused("message_refused", "550 5.7.1 no 5.7.1 never")),
        ({"RCPT": "553 no", "DATA": "503 no valid recipients"}, Refused("recipient_refused", "553 no")),
        ({"RCPT": "550 relay not permitted"}, Refused("recipient_refused", "550 relay not permitted")),
        ({"DATA": "250 ok?"}, Unavailable("provider_unavailable", "DATA: 250 ok?")),
        ({"DOT": "250 2.0.0 queued as 42"}, Accepted(detail="250 2.0.0 queued as 42")),
        ({"DOT": "452 4.3.1 disk full"}, Unavailable("provider_unavailable", "452 4.3.1 disk full")),
        ({"DOT": "sure"}, Unknown("unknown_outcome", "no answer after the end of the message")),
        ({"DOT": DROP}, Unknown("unknown_outcome", "no answer after the end of the message")),
        ({"DOT": SILENCE}, Unknown("unknown_outcome", "no answer after the end of the message")),
    ],
)
async def test_the_first_word_that_was_not_hoped_for_counts(
    answers: dict[str, str], offers: tuple[str, ...], expected: Outcome
) -> None:
    async with scripted(answers, offers=offers) as script:
        assert await said_by(script, timeout=awaiting(SILENCE in answers.values())) == expected


async def test_everything_before_the_final_dot_is_surely_not_sent() -> None:
    """With and without pipelining the text of a refused mail never leaves."""
    for offers in (("PIPELINING",), ()):
        async with scripted({"RCPT": "550 5.1.1 no"}, offers=offers) as script:
            await said_by(script)
            assert not any("Subject" in line for line in script.said)


async def test_nobody_listens() -> None:
    async with smtp(free_port()) as provider:
        said = await provider.hand_over(parcel())
    assert isinstance(said, Unavailable) and said.reason == "provider_unavailable"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"AUTH": "535 5.7.8 bad password"}, Halted("provider_configuration", "535 5.7.8 bad password", alarming=True)),
        ({"AUTH": "534 5.7.9 app password"}, Halted("provider_configuration", "534 5.7.9 app password", alarming=True)),
        ({"AUTH": "454 4.7.0 too many logins"}, Halted("provider_quota", "454 4.7.0 too many logins")),
        ({"EHLO": "250 nothing"}, "provider_configuration"),
    ],
)
async def test_who_may_not_log_in_keeps_the_mail(answers: dict[str, str], expected: Outcome | str) -> None:
    async with scripted(answers) as script:
        said = await said_by(script, username="me")
    assert said == expected or (isinstance(said, Halted) and said.reason == expected)


async def test_logged_in_once_for_many_mails() -> None:
    async with scripted() as script, smtp(script.port, username="me") as provider:
        for _ in range(5):
            assert isinstance(await provider.hand_over(parcel()), Accepted)
    assert sum(line.startswith("AUTH") for line in script.said) == 1
    assert script.connections == 1


async def test_a_silent_banner_ends_with_the_time_out() -> None:
    async with scripted({"BANNER": SILENCE}) as script:
        async with asyncio.timeout(PATIENCE):
            said = await said_by(script, timeout=0.3)
        assert isinstance(said, Unavailable)


async def test_a_dripping_answer_ends_with_the_time_out() -> None:
    """The time-out is for the mail, not for the next byte."""
    async with Catcher() as catcher, smtp(catcher.port, timeout=0.4) as provider:
        assert isinstance(await provider.hand_over(parcel("drip@example.com")), Unknown)


async def test_a_session_ends_after_its_hundred_mails() -> None:
    async with scripted() as script, smtp(script.port) as provider:
        provider.pool = Pool(provider._open, most_mails=3)
        for _ in range(7):
            assert isinstance(await provider.hand_over(parcel()), Accepted)
    assert script.connections == 3


async def test_an_idle_session_is_asked_before_it_is_used() -> None:
    async with scripted() as script, smtp(script.port) as provider:
        provider.pool = Pool(provider._open, idle=0.0, ask=PATIENCE)
        await provider.hand_over(parcel())
        await provider.hand_over(parcel())
        assert script.said.count("NOOP") == 1 and script.connections == 1
        script.answers = {"NOOP": "421 too long"}
        assert isinstance(await provider.hand_over(parcel()), Accepted)
        assert script.connections == 2


async def test_a_session_that_was_closed_meanwhile_is_not_used() -> None:
    async with scripted() as script, smtp(script.port) as provider:
        await provider.hand_over(parcel())
        for writer in list(script.open_ones):
            writer.write(b"421 4.4.2 idle too long\r\n")
            writer.close()
            await writer.wait_closed()
        assert isinstance(await provider.hand_over(parcel()), Accepted)
    assert script.connections == 2


async def test_a_new_connection_after_any_trouble() -> None:
    """A server that counts errors per connection does not make the next mail pay."""
    async with Catcher() as catcher, smtp(catcher.port) as provider:
        await provider.hand_over(parcel("550@example.com"))
        assert provider.pool._idle == []


async def test_an_address_that_the_server_cannot_take() -> None:
    async with scripted() as script, smtp(script.port) as provider:
        for one in (parcel("jürgen@example.com"), parcel(reply_to="jürgen@example.com")):
            said = await provider.hand_over(one)
            assert isinstance(said, Refused) and "SMTPUTF8" in (said.detail or "")
    assert not [command for command in script.said if command.startswith(("MAIL", "RCPT"))]
    async with Catcher() as catcher, smtp(catcher.port) as provider:
        assert isinstance(await provider.hand_over(parcel("jürgen@example.com")), Accepted)
        assert catcher.mails()[0].recipients == ("jürgen@example.com",)


async def test_a_header_that_would_break_is_the_messages_fault() -> None:
    async with scripted() as script, smtp(script.port) as provider:
        said = await provider.hand_over(parcel(subject="a\r\nBcc: all@example.com"))
    assert isinstance(said, Refused) and said.reason == "message_refused"
    assert script.connections == 0


async def test_no_more_connections_than_are_allowed_but_for_an_urgent_mail() -> None:
    """Where one cannot ride: others wait for a connection, and what is urgent gets one more."""
    urgent = Parcel(due(Lane.URGENT, content=Content(to="ann@example.com", subject="Hello", text="Hi.")))
    async with scripted(offers=()) as script, smtp(script.port, timeout=20.0, connections=3) as provider:
        script.slow = asyncio.Event()
        mails = [asyncio.create_task(provider.hand_over(parcel())) for _ in range(10)]
        await eventually(lambda: script.said.count("DATA") == 3)
        one_more = asyncio.create_task(provider.hand_over(urgent))
        await eventually(lambda: script.said.count("DATA") == 4)
        script.slow.set()
        said = await asyncio.gather(*mails, one_more)
        assert all(isinstance(one, Accepted) for one in said) and script.connections == 4


async def test_who_waits_for_a_connection_to_the_end_of_his_time_was_not_sent() -> None:
    async with scripted(offers=()) as script, smtp(script.port, timeout=0.5, connections=1) as provider:
        script.slow = asyncio.Event()
        first, second = await asyncio.gather(provider.hand_over(parcel()), provider.hand_over(parcel()))
        script.slow.set()
    assert isinstance(first, Unknown)
    assert isinstance(second, Unavailable) and second.blames_provider


async def test_a_name_that_nobody_knows() -> None:
    provider = Smtp("smtp", Relay("nowhere.invalid", 25, "none"), AUTHOR, timeout=20.0)
    said = await provider.hand_over(parcel())
    assert isinstance(said, Unavailable) and said.blames_provider


def test_the_same_on_the_loop_that_services_run_on() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_taken_as_it_was_meant())
        runner.run(test_what_an_answer_at_any_step_comes_to("silent-dot", SILENT_DOT))
        runner.run(test_what_an_answer_at_any_step_comes_to("421", BUSY))


def test_the_time_out_leaves_a_lease_room() -> None:
    from services.email_sender.providers.smtp.provider import TIMEOUT
    from services.email_sender.settings import LEASE_SECONDS

    assert timedelta(seconds=TIMEOUT) < timedelta(seconds=LEASE_SECONDS) / 2
