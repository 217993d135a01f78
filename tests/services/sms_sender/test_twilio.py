"""What becomes of a text message at Twilio: each row of the table at a server that really answers so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from contracts.events import Content, Receipt
from contracts.status import Channel
from contracts.suppression import Cause
from deploy.local.ports import free_port
from kit.delivery.called_back import CalledBack
from kit.delivery.outcomes import Accepted, Halted, Outcome, Refused, Unavailable, Unknown
from kit.delivery.provider import Answer, Parcel
from kit.delivery.rules import Result
from kit.settings import load
from services.sms_sender.app import provider as made
from services.sms_sender.providers.twilio import TIMEOUT, Account, Twilio
from services.sms_sender.rules.twilio import meant_by
from services.sms_sender.settings import LEASE_SECONDS
from tests.kit.delivery.support import due, now
from tests.services.sms_sender.twilio_server import NUMBER, SID, TOKEN, TwilioServer, twilio_server
from tests.waiting import PATIENCE, eventually

PUBLIC = "https://notify.example.org"
LOST = Unknown("unknown_outcome", "no answer from Twilio")


@pytest.fixture
async def server() -> AsyncIterator[TwilioServer]:
    async with twilio_server() as one:
        yield one


@asynccontextmanager
async def twilio(base: str, *, sender: str = NUMBER, token: str = TOKEN, **more: Any) -> AsyncIterator[Twilio]:
    told = {"timeout": PATIENCE} | more
    provider = Twilio("twilio", Account(SID, token, sender, base), told.pop("public_url", PUBLIC), **told)
    try:
        yield provider
    finally:
        await provider.close()


def parcel(text: str = "Hi.", **more: Any) -> Parcel:
    return Parcel(due(channel=Channel.SMS, content=Content(to="+33612345678", text=text)), **more)


async def said_by(server: TwilioServer, **more: Any) -> Outcome:
    async with twilio(server.base, **more) as provider:
        return await provider.hand_over(parcel())


async def test_taken_with_its_parts(server: TwilioServer) -> None:
    async with twilio(server.base) as provider:
        said = await provider.hand_over(parcel("“" + "a" * 70))
    assert said == Accepted("SM" + "1".zfill(32), segments=2, encoding="UCS-2")
    assert server.paths == [f"/2010-04-01/Accounts/{SID}/Messages.json"]
    [told] = server.messages
    assert (told["To"], told["From"], told["Body"]) == ("+33612345678", NUMBER, "“" + "a" * 70)


async def test_a_messaging_service_is_named_as_one(server: TwilioServer) -> None:
    await said_by(server, sender="MG" + "0" * 32)
    assert server.messages[0]["MessagingServiceSid"] == "MG" + "0" * 32 and "From" not in server.messages[0]


async def test_the_callback_carries_the_id_and_the_try(server: TwilioServer) -> None:
    one = parcel(try_=3)
    async with twilio(server.base) as provider:
        await provider.hand_over(one)
    url = urlsplit(server.messages[0]["StatusCallback"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{PUBLIC}/v1/callbacks/twilio"
    assert parse_qs(url.query) == {
        "tenant": ["default"],
        "id": [str(one.due.id)],
        "try": ["3"],
        "provider": ["twilio"],
    }


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000"])
async def test_no_callback_is_asked_for_where_twilio_cannot_reach_us(server: TwilioServer, url: str) -> None:
    await said_by(server, public_url=url)
    assert "StatusCallback" not in server.messages[0]


TRANSIENT, CONFIGURATION = "provider_unavailable", "provider_configuration"


def told(code: int) -> str:
    return f"{code} as told"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, 20429, Unavailable(TRANSIENT, told(20429))),
        (400, 21730, Unavailable(TRANSIENT, told(21730))),
        (400, 30001, Unavailable(TRANSIENT, told(30001))),
        (400, 21211, Refused("recipient_refused", told(21211), suppress=Cause.HARD_BOUNCE)),
        (400, 21214, Refused("recipient_refused", told(21214), suppress=Cause.HARD_BOUNCE)),
        (400, 21610, Refused("recipient_refused", told(21610), suppress=Cause.STOP)),
        (400, 21614, Refused("recipient_refused", told(21614), suppress=Cause.HARD_BOUNCE)),
        (400, 30005, Refused("recipient_refused", told(30005), suppress=Cause.HARD_BOUNCE)),
        (400, 30006, Refused("recipient_refused", told(30006), suppress=Cause.HARD_BOUNCE)),
        (400, 21612, Refused("recipient_refused", told(21612))),
        (400, 30003, Unavailable("recipient_unreachable", told(30003), patient=True)),
        (400, 30008, Unavailable("provider_refused", told(30008))),
        (400, 21617, Refused("message_refused", told(21617))),
        (400, 30004, Refused("message_refused", told(30004))),
        (400, 30007, Refused("message_refused", told(30007))),
        (401, 20003, Halted(CONFIGURATION, told(20003), alarming=True)),
        (400, 21606, Halted(CONFIGURATION, told(21606), alarming=True)),
        (400, 21659, Halted(CONFIGURATION, told(21659), alarming=True)),
        (400, 30002, Halted(CONFIGURATION, told(30002), alarming=True)),
        (400, 21408, Unavailable(CONFIGURATION, told(21408), patient=True)),
        (400, 21608, Unavailable(CONFIGURATION, told(21608), patient=True)),
        (400, 29999, Unavailable("provider_refused", told(29999))),
        (429, None, Unavailable(TRANSIENT, "429 Too Many Requests")),
        (500, None, Unknown("unknown_outcome", "500 Internal Server Error")),
        (500, 20500, Unknown("unknown_outcome", told(20500))),
        (503, None, Unknown("unknown_outcome", "503 Service Unavailable")),
        (502, None, Unknown("unknown_outcome", "502 Bad Gateway")),
        (503, 20503, Unavailable(TRANSIENT, told(20503))),
        (504, None, Unknown("unknown_outcome", "504 Gateway Timeout")),
        (401, None, Halted(CONFIGURATION, "401 Unauthorized", alarming=True)),
        (403, None, Halted(CONFIGURATION, "403 Forbidden", alarming=True)),
        (404, 20404, Halted(CONFIGURATION, told(20404), alarming=True)),
        (400, None, Unavailable("provider_refused", "400 Bad Request")),
    ],
)
async def test_what_an_answer_comes_to(server: TwilioServer, status: int, code: int | None, expected: Outcome) -> None:
    server.answer = (status, code)
    async with twilio(server.base) as provider:
        assert await provider.hand_over(parcel()) == expected
        assert len(server.messages) == 1, "the client tries nothing again by itself"
        server.answer = None
        assert isinstance(await provider.hand_over(parcel()), Accepted), "the next message is none the worse"


async def test_what_it_says_of_a_number_is_kept_without_the_number(server: TwilioServer) -> None:
    server.answer, server.text = (400, 21211), "The 'To' number {to} is not a valid phone number."
    said = await said_by(server)
    assert isinstance(said, Refused)
    assert said.detail == "21211 The 'To' number <phone> is not a valid phone number."


async def test_a_wrong_token_halts(server: TwilioServer) -> None:
    said = await said_by(server, token="another")
    assert isinstance(said, Halted) and said.alarming


async def test_twilio_says_when_to_come_back(server: TwilioServer) -> None:
    server.answer, server.retry_after = (429, 20429), "7"
    assert await said_by(server) == Unavailable(TRANSIENT, told(20429), retry_after=7.0)
    server.retry_after = "9" * 400
    assert await said_by(server) == Unavailable(TRANSIENT, told(20429), retry_after=86_400.0), "no instant is that far"


async def test_p5_2_no_answer_in_time_is_unknown(server: TwilioServer) -> None:
    server.answer = "silence"
    assert await said_by(server, timeout=3.0) == LOST
    assert len(server.messages) == 1


async def test_p5_2_a_connection_that_ends_before_the_answer_does_is_unknown(server: TwilioServer) -> None:
    server.answer = "drop"
    assert await said_by(server) == LOST


async def test_p5_2_success_in_words_that_are_not_twilios_is_unknown(server: TwilioServer) -> None:
    server.answer = "page"
    assert await said_by(server) == Unknown("unknown_outcome", "an answer that is not Twilio's: 200")


async def test_nobody_listens_and_so_it_is_surely_not_sent() -> None:
    async with twilio(f"http://127.0.0.1:{free_port()}") as provider:
        said = await provider.hand_over(parcel())
    assert said == Unavailable(TRANSIENT, "no connection to Twilio: ConnectError")


def test_the_time_out_leaves_a_lease_room() -> None:
    assert TIMEOUT < LEASE_SECONDS / 2


async def test_as_many_at_a_time_as_the_settings_say(server: TwilioServer) -> None:
    """None waits for another one's connection: all of them are there before the first is answered."""
    server.answer = "silence"
    async with twilio(server.base, connections=150, timeout=2 * PATIENCE) as provider:
        said = asyncio.gather(*(provider.hand_over(parcel()) for _ in range(150)))
        await eventually(lambda: len(server.messages) == 150)
        server.goes_on.set()
        assert {type(one) for one in await said} == {Accepted}


async def test_chosen_and_put_together_by_the_settings(server: TwilioServer, tmp_path: Path) -> None:
    variables = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1/none",
        "SMS_PROVIDER": "twilio",
        "TWILIO_ACCOUNT_SID": SID,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_FROM": NUMBER,
        "TWILIO_API_BASE": server.base,
        "TWILIO_CONNECTIONS": "150",
        "TOCSIN_PUBLIC_URL": PUBLIC,
    }
    told = load(tmp_path, variables)
    [first] = told.sms_providers
    assert first.connections == 150
    provider = made(first, told)
    assert isinstance(await provider.hand_over(parcel()), Accepted)
    assert server.messages[0]["StatusCallback"].startswith(PUBLIC)
    await provider.close()


@pytest.mark.parametrize(
    ("became", "expected"),
    [
        (("delivered", None), Answer("delivered")),
        (("undelivered", 30005), Answer("undelivered", "30005")),
        (("sent", None), Answer("sent")),
    ],
)
async def test_p5_9_it_says_what_became_of_a_message_when_it_is_asked(
    server: TwilioServer, became: tuple[str, int | None], expected: Answer
) -> None:
    server.became = became
    async with twilio(server.base) as provider:
        assert await provider.became("SM1") == expected
    assert server.paths == [f"/2010-04-01/Accounts/{SID}/Messages/SM1.json"]


@pytest.mark.parametrize("answer", [(404, 20404), (429, 20429), (500, None), "page", "drop", "silence"])
async def test_p5_9_no_answer_to_a_question_is_none(server: TwilioServer, answer: Any) -> None:
    server.answer = answer
    async with twilio(server.base, timeout=1.0) as provider:
        assert await provider.became("SM1") is None


async def test_it_is_asked_sooner_where_it_cannot_call_back(server: TwilioServer) -> None:
    async with twilio(server.base) as calls, twilio(server.base, public_url="http://127.0.0.1") as cannot:
        assert calls.ask_after[0] == 600.0 and cannot.ask_after[0] == 15.0


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("delivered", Result.DELIVERED),
        ("read", Result.DELIVERED),
        ("undelivered", Result.UNDELIVERED),
        ("failed", Result.UNDELIVERED),
        *[(word, Result.SENT) for word in ("accepted", "scheduled", "queued", "sending", "sent")],
        *[(word, None) for word in ("canceled", "new")],
    ],
)
def test_what_a_status_makes_of_a_sent_message(status: str, expected: Result | None) -> None:
    said = {"id": uuid4(), "channel": "sms", "try": 1, "provider": "twilio", "status": status, "received_at": now()}
    assert meant_by(Receipt.model_validate(said)) == (CalledBack(expected) if expected else None)
    assert meant_by(Receipt.model_validate(said | {"channel": "email"})) is None


@pytest.mark.parametrize(
    ("options", "status", "wrong"),
    [
        ({}, "active", None),
        ({"sender": "MG" + "0" * 32}, "active", None),
        ({"token": "another"}, "active", "login: 20003 as told"),
        ({}, "suspended", "login: the account is suspended"),
        ({"sender": "+33700000000"}, "active", "sender: +33700000000 is no number of this account"),
    ],
    ids=["well", "a messaging service", "a wrong token", "suspended", "a number of somebody else"],
)
async def test_tried_out_without_sending(
    server: TwilioServer, options: dict[str, str], status: str, wrong: str | None
) -> None:
    server.status = status
    async with twilio(server.base, **options) as provider:
        trial = await provider.tried(PATIENCE)
    assert trial.ok is (wrong is None) and (wrong is None or trial.detail == wrong), trial
    assert server.messages == []


async def test_tried_out_where_nobody_listens() -> None:
    async with twilio(f"http://127.0.0.1:{free_port()}") as provider:
        trial = await provider.tried(PATIENCE)
    assert [(check.name, check.ok) for check in trial.checks] == [("connection", False)]


@pytest.mark.parametrize(
    ("code", "cause"),
    [("30005", Cause.HARD_BOUNCE), ("30006", Cause.HARD_BOUNCE), ("21610", Cause.STOP)]
    + [(code, None) for code in ("30003", "30008", "30007", "", None, "x", "99999")],
)
def test_p3_10_the_code_of_a_callback_says_whose_fault_it_is(code: str | None, cause: Cause | None) -> None:
    said = {"id": uuid4(), "channel": "sms", "try": 1, "provider": "twilio", "status": "undelivered", "code": code}
    assert meant_by(Receipt.model_validate(said | {"received_at": now()})) == CalledBack(Result.UNDELIVERED, cause)
    delivered = said | {"status": "delivered", "received_at": now()}
    assert meant_by(Receipt.model_validate(delivered)) == CalledBack(Result.DELIVERED)
