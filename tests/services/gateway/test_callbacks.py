"""What Twilio calls back is believed if Twilio signed it, and answered when Kafka has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
from twilio.request_validator import RequestValidator

from contracts.events import Receipt
from contracts.topics import RECEIPTS
from kit.bus.publisher import Publisher
from kit.settings import KafkaSettings, Settings, TwilioSettings
from tests.services.gateway.conftest import House, opened, settings_of
from tests.services.gateway.support import others

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
    **sent: Any,
) -> httpx.Response:
    """A call that is signed for `about` and `form`; `sent` is what comes instead."""
    signed = f"{base}{PATH}?{urlencode(about)}"
    signature = sent.pop("signature", None) or RequestValidator(token).compute_signature(signed, form)
    query = urlencode(sent.pop("query", about))
    return await house.http.post(
        f"{PATH}?{query}", data=sent.pop("body", form), headers={"X-Twilio-Signature": signature}
    )


async def test_p5_9_what_twilio_signed_is_passed_on(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    async with others(kafka, [RECEIPTS], "sms_sender.receipts") as sender:
        publisher = Publisher(kafka, "gateway")
        await publisher.start()
        async with opened(with_twilio(kafka, database, tmp_path), publisher) as house:
            assert (await called(house)).status_code == 204
            delivered = {"MessageStatus": "delivered", "ErrorCode": ""}
            assert (await called(house, delivered, base=f"{PUBLIC}:443")).status_code == 204
        await publisher.stop()
        first, second = await sender.hear(Receipt, 2)
    assert (first.tenant, first.id, first.try_, first.provider) == ("acme", ID, 2, "main")
    assert (first.channel, first.status, first.code) == ("sms", "undelivered", "30005")
    assert (second.status, second.code) == ("delivered", None)


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
