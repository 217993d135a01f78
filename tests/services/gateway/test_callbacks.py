"""What Twilio calls back is believed if Twilio signed it, and answered when Kafka has it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
from twilio.request_validator import RequestValidator

from contracts import events as e
from contracts.events import Receipt
from contracts.status import Channel
from contracts.suppression import name_of
from contracts.topics import RECEIPTS, SETTINGS
from kit.bus.publisher import Publisher
from kit.bus.record import Received
from kit.settings import KafkaSettings, Settings, TwilioSettings
from kit.stage import Message
from services.gateway.rules.opting import Wish, wish_of
from tests.services.gateway.conftest import House, opened, settings_of
from tests.services.gateway.support import others
from tests.waiting import PATIENCE

TOKEN, PUBLIC = "the account's token", "https://notify.example.org"
PATH = "/v1/callbacks/twilio"
ID = uuid4()
ABOUT = {"tenant": "acme", "id": str(ID), "try": "2", "provider": "main"}
FAILED = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30005", "To": "+33612345678", "From": ""}


def with_twilio(kafka: KafkaSettings, database: str, folder: Path) -> Settings:
    account = TwilioSettings.model_validate({"account_sid": "AC1", "auth_token": TOKEN, "from": "+15005550006"})
    told = settings_of(kafka, database, folder, notifications={"sms": {"provider": "twilio"}})
    return told.model_copy(update={"twilio": account, "public_url": PUBLIC})


async def called(
    house: House,
    form: dict[str, str] = FAILED,
    *,
    about: dict[str, str] = ABOUT,
    token: str = TOKEN,
    base: str = PUBLIC,
    path: str = PATH,
    **sent: Any,
) -> httpx.Response:
    """A call that is signed for `about` and `form`; `sent` is what comes instead."""
    signed = f"{base}{path}?{urlencode(about)}" if about else f"{base}{path}"
    signature = sent.pop("signature", None) or RequestValidator(token).compute_signature(signed, form)
    query = urlencode(sent.pop("query", about))
    return await house.http.post(
        f"{path}?{query}" if query else path, data=sent.pop("body", form), headers={"X-Twilio-Signature": signature}
    )


async def test_p5_9_what_twilio_signed_is_passed_on(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    async with others(kafka, [RECEIPTS], "sms_sender.receipts") as sender:
        publisher = Publisher(kafka, "gateway", deadline=PATIENCE)
        await publisher.start()
        async with opened(with_twilio(kafka, database, tmp_path), publisher) as house:
            assert (await called(house)).status_code == 204
            delivered = {"MessageStatus": "delivered", "ErrorCode": ""}
            assert (await called(house, delivered, base=f"{PUBLIC}:443")).status_code == 204
        await publisher.stop()
        first, second = await sender.hear(Receipt, 2)
    assert (first.tenant, first.id, first.try_, first.provider) == ("acme", ID, 2, "main")
    assert (first.channel, first.status, first.code, first.provider_id) == ("sms", "undelivered", "30005", "SM1")
    assert (second.status, second.code, second.provider_id) == ("delivered", None, None)


@pytest.mark.parametrize(
    "forged",
    [
        {"token": "another"},
        {"signature": "x"},
        {"body": FAILED | {"MessageStatus": "delivered"}},
        {"query": ABOUT | {"id": str(uuid4())}},
        {"query": ABOUT | {"try": "3"}},
        {"query": ABOUT | {"tenant": "other"}},
        {"base": "http://gateway"},
    ],
    ids=["token", "signature", "status", "id", "try", "tenant", "address"],
)
async def test_what_twilio_did_not_sign_is_refused(
    database: str, nowhere: KafkaSettings, tmp_path: Path, forged: dict[str, Any]
) -> None:
    async with opened(with_twilio(nowhere, database, tmp_path), Publisher(nowhere, "gateway", deadline=0.3)) as house:
        answer = await called(house, **forged)
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_signature")


async def test_without_an_account_nobody_can_sign(house: House) -> None:
    assert (await called(house)).status_code == 403


async def test_without_kafka_it_is_not_answered_as_done(database: str, nowhere: KafkaSettings, tmp_path: Path) -> None:
    async with opened(with_twilio(nowhere, database, tmp_path), Publisher(nowhere, "gateway", deadline=0.3)) as house:
        assert (await called(house)).status_code == 503


@pytest.mark.parametrize(
    ("about", "form", "field"),
    [
        (ABOUT, {"MessageSid": "SM1"}, "status"),
        (ABOUT, {"MessageStatus": ""}, "status"),
        (ABOUT | {"try": "0"}, FAILED, "try"),
        ({"try": "1"}, FAILED, "id"),
    ],
)
async def test_what_is_no_receipt_is_refused(
    database: str, nowhere: KafkaSettings, tmp_path: Path, about: dict[str, str], form: dict[str, str], field: str
) -> None:
    async with opened(with_twilio(nowhere, database, tmp_path)) as house:
        answer = await called(house, form, about=about)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


# ------------------------------------------------------------------------------------------------ what people answer

ANSWERED = f"{PATH}/messages"
NUMBER = "+33612345678"


def answer(body: str, **more: str) -> dict[str, str]:
    return {"MessageSid": "SM2", "From": NUMBER, "To": "+15005550006", "Body": body} | more


@pytest.mark.parametrize("words", ["STOP", " stop ", "Stop.", "Stop all", "ARRÊT", "unsubscribe", "END", "QUIT"])
def test_stop_in_many_words(words: str) -> None:
    assert wish_of(words) is Wish.STOP


@pytest.mark.parametrize("words", ["", "stop it", "don't stop", "end of May?", "ok", "STOPP"])
def test_what_only_holds_the_word_is_an_answer(words: str) -> None:
    assert wish_of(words) is None


@pytest.mark.parametrize(("told", "wish"), [("STOP", Wish.STOP), ("START", Wish.START), ("HELP", None)])
def test_what_twilio_has_understood_counts(told: str, wish: Wish | None) -> None:
    """The account may have words of its own."""
    assert wish_of("basta", told) is wish


async def test_p3_10_stop_and_start_over_again(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    """START takes back a STOP, and nothing else."""
    async with others(kafka, [SETTINGS], "intake.directory") as services:
        publisher = Publisher(kafka, "gateway", deadline=PATIENCE)
        await publisher.start()
        async with opened(with_twilio(kafka, database, tmp_path), publisher) as house:

            async def says(body: str, about: dict[str, str]) -> None:
                said = await called(house, answer(body), about=about, path=ANSWERED)
                assert said.status_code == 204, said.text

            for about in ({}, {"tenant": "acme"}):
                await says("Stop", about)
            stops = await services.hear(e.Setting, 2)
            await says("Start", {})
            for at, stop in enumerate(stops):
                await house.remembers(heard(stop, at))
            await says("How are you?", {})
            await says("START", {})
            [started] = await services.hear(e.Tombstone)
            manual = stops[0].model_copy(update={"value": {"reason": "manual"}})
            await house.remembers(heard(manual, 9))
            await says("START", {})
        await publisher.stop()
        await services.listen()
    name = f"suppression/{name_of(Channel.SMS, NUMBER)}"
    assert [stop.key for stop in stops] == [f"default/{name}", f"acme/{name}"]
    assert [(stop.value or {})["reason"] for stop in stops] == ["stop", "stop"]
    assert started.key == f"default/{name}" and len(services.of(e.Tombstone)) == 1
    assert NUMBER.encode() not in b"".join(record.value or b"" for record in services.heard)


def heard(event: e.Setting, offset: int) -> Message:
    return Message(event, Received(SETTINGS.name, 0, offset, datetime.now(UTC), b"", b""))


@pytest.mark.parametrize("forged", [{"token": "another"}, {"body": answer("START")}, {"query": {"tenant": "other"}}])
async def test_nobody_says_stop_for_another_one(
    database: str, nowhere: KafkaSettings, tmp_path: Path, forged: dict[str, Any]
) -> None:
    async with opened(with_twilio(nowhere, database, tmp_path), Publisher(nowhere, "gateway", deadline=0.3)) as house:
        refused = await called(house, answer("STOP"), about={}, path=ANSWERED, **forged)
        assert (refused.status_code, refused.json()["code"]) == (403, "wrong_signature")
        away = await called(house, answer("STOP"), about={}, path=ANSWERED)
        assert away.status_code == 503
        nobody = await called(house, answer("STOP", From="whatsapp:+33612345678"), about={}, path=ANSWERED)
        assert (nobody.status_code, nobody.json()["errors"][0]["field"]) == (422, "From")
