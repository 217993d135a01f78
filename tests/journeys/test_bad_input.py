"""What nobody can send is refused on both ways in, with field and remedy: 422 by REST, `rejected` from Kafka."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import uuid4

import pytest
import pytest_asyncio

from contracts.identity import notification_id
from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import Stack
from tests.journeys.test_first_journeys import publish

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONFIG = "notifications: {sms: {countries: [FR, BE]}}"
MAIL = {"channel": "email", "to": "ann@example.com", "subject": "Hello", "body": "Hi."}
SMS = {"channel": "sms", "to": "+33612345678", "body": "Hi."}
BELL = {"channel": "inapp", "user_id": "alice", "body": "Hi."}
FILE = {"name": "a.pdf", "content_type": "application/pdf", "content": ""}

BAD: Final[dict[str, tuple[dict[str, Any], str, str]]] = {
    "a number of another country": (SMS | {"to": "+4915123456789"}, "to", "sms.countries: an admin can"),
    "a number of no country": (SMS | {"to": "+80012345678"}, "to", "numbers of no country"),
    "a number without its country": (SMS | {"to": "0612345678"}, "to", "for example +33612345678"),
    "a number of letters": (SMS | {"to": "+33CALLME"}, "to", "for example +33612345678"),
    "a number that is too short": (SMS | {"to": "+33 61 23 45"}, "to", "look for a missing digit"),
    "an address with a comment": (MAIL | {"to": "ann(work)@example.com"}, "to", "Write it as name@example.org"),
    "a domain with a comment": (MAIL | {"to": "ann@(work)example.com"}, "to", "Write it as name@example.org"),
    "a quoted local part": (MAIL | {"to": '"ann b"@example.com'}, "to", "Write it as name@example.org"),
    "an address with its name": (MAIL | {"to": "Ann <ann@example.com>"}, "to", "Write it as name@example.org"),
    "an address as a number": (MAIL | {"to": "ann@[127.0.0.1]"}, "to", "Write it as name@example.org"),
    "a domain of mixed scripts": (MAIL | {"to": "ann@\u0430pple.com"}, "to", "write the domain in one alphabet"),
    "the same, in ASCII": (MAIL | {"to": "ann@xn--pple-43d.com"}, "to", "write the domain in one alphabet"),
    "a second address in a line of its own": (MAIL | {"to": "ann@example.com\r\nBcc: b@example.com"}, "to", "Write it"),
    "NUL in the address": (MAIL | {"to": "a\x00nn@example.com"}, "to", "Write it as name@example.org"),
    "NUL in the subject": (MAIL | {"subject": "a\x00"}, "subject", "one line of plain text"),
    "NUL in the body": (MAIL | {"body": "a\x00"}, "body", "NUL, which no mail, message or database can carry: leave"),
    "NUL in the HTML": (MAIL | {"html": "<p>\x00"}, "html", "NUL, which no mail, message or database can carry: leave"),
    "NUL in a text message": (SMS | {"body": "a\x00"}, "body", "NUL, which no mail, message or database can carry"),
    "NUL in data": (MAIL | {"template": "t", "data": {"a": ["\x00"]}}, "data", "holds the character NUL"),
    "NUL in a name of data": (MAIL | {"template": "t", "data": {"a\x00": 1}}, "data", "holds the character NUL"),
    "NUL in metadata": (MAIL | {"metadata": {"k": "\x00"}}, "metadata", "k: holds at most 64 bytes, and no NUL"),
    "NUL in a group": (MAIL | {"group": "a\x00"}, "group", "write one line of plain text"),
    "NUL in a person": (BELL | {"user_id": "a\x00"}, "user_id", "leave the other characters out"),
    "a header of one's own": (MAIL | {"subject": "Hello\r\nBcc: b@example.com"}, "subject", "one line of plain text"),
    "a text message of 1,601 characters": (SMS | {"body": "a" * 1601}, "body", "this one has 1601: shorten it"),
    "attachments of 600 KB": (
        MAIL | {"attachments": [FILE | {"content": b64encode(b"x" * 524_289).decode()}]},
        "attachments",
        "larger than 512 KiB together: send a link",
    ),
    "eleven attachments": (MAIL | {"attachments": [FILE] * 11}, "attachments", "more than 10 entries: leave some out"),
    "an attachment with a folder": (
        MAIL | {"attachments": [FILE | {"name": "../a"}]},
        "attachments",
        "a file's name",
    ),
    "HTML of 65 KB": (MAIL | {"html": "x" * 65_537}, "html", "is larger than 64 KiB: shorten it"),
    "a subject of 501 characters": (MAIL | {"subject": "x" * 501}, "subject", "more than 500 characters: shorten it"),
    "nine metadata": (MAIL | {"metadata": {f"k{n}": "v" for n in range(9)}}, "metadata", "more than 8 entries"),
    "data of nine levels": (
        MAIL | {"template": "t", "data": {"a": [[[[[[[[[1]]]]]]]]]}},
        "data",
        "more than 8 levels deep: make it flatter",
    ),
    "a field that there is not": (MAIL | {"bodi": "x"}, "bodi", "is not a field here: look at its spelling"),
    "nobody": (MAIL | {"to": None}, "to", "give either to (an address) or user_id"),
    "nothing to say": (SMS | {"body": None}, "body", "give body"),
    "a zone that there is not": (
        MAIL | {"send_at": "2030-01-01T08:00", "time_zone": "Europe/Pari"},
        "time_zone",
        "did you mean Europe/Paris",
    ),
}
"""What is asked for, the field that is to be named, and words of the remedy."""

Ends = dict[str, dict[str, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(session: real.Session, kafka_address: str, postgres_url: str, template: str) -> AsyncIterator[Stack]:
    """A house that writes to two countries."""
    kafka: KafkaSettings = real.kafka_settings(kafka_address)
    folder = session.new_folder("bad-input")
    async with real.copied_database(postgres_url, template) as database:
        async with Stack(kafka, database, folder, session.look_after, config=CONFIG) as stack:
            yield stack
    await real.delete_topics(kafka)


async def on_kafka(stack: Stack, body: dict[str, Any]) -> dict[str, Any]:
    """How it ends that was asked for by a line of JSON."""
    key = f"bad-{uuid4()}"
    await publish(stack, json.dumps(body | {"id": key}).encode())
    return await stack.final(str(notification_id("default", "source:", key)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ends(stack: Stack) -> Ends:
    """All of them by Kafka, at once."""
    ended = await asyncio.gather(*(on_kafka(stack, body) for body, _, _ in BAD.values()))
    return dict(zip(BAD, ended, strict=True))


@pytest.mark.parametrize("what", BAD)
async def test_422_by_rest(stack: Stack, what: str) -> None:
    body, field, remedy = BAD[what]
    answer = await stack.call("POST", "/v1/notifications", json=body)
    assert answer.status_code == 422, answer.text
    told = [one["message"] for one in answer.json()["errors"] if one["field"].partition(".")[0] == field]
    assert told and remedy in told[0], answer.text


@pytest.mark.parametrize("what", BAD)
async def test_rejected_from_kafka(ends: Ends, what: str) -> None:
    _, field, remedy = BAD[what]
    seen = ends[what]
    told = seen["timeline"][-1]
    assert (seen["status"], told["event"]) == ("rejected", "rejected")
    assert f"{field}" in told["detail"] and remedy in told["detail"], told


async def test_one_bad_item_of_a_batch_is_refused_alone(stack: Stack) -> None:
    items = [SMS, BAD["a number of another country"][0], BAD["a quoted local part"][0]]
    answer = await stack.call("POST", "/v1/notifications/batch", json={"notifications": items})
    good, country, quoted = answer.json()["results"]
    assert answer.status_code == 202 and good["id"]
    assert country["error"]["code"] == "country_not_allowed" and quoted["error"]["code"] == "validation_failed"


async def test_a_schedule_for_a_number_of_another_country_is_refused_when_it_is_made(stack: Stack) -> None:
    words = {"channel": "sms", "body": "Hi."}
    asked = {"every_seconds": 3600, "recipients": [{"to": "+4915123456789"}], "notification": words}
    answer = await stack.call("POST", "/v1/schedules", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "country_not_allowed"), answer.text
    assert answer.json()["errors"][0]["field"] == "recipients"


async def test_what_only_the_directory_knows_is_rejected_by_both(stack: Stack) -> None:
    """The number of a person, of a country that this house does not write to."""
    put = await stack.call("PUT", "/v1/recipients/gerd", user="admin", admin=True, json={"phone": "+4915123456789"})
    assert put.status_code in (200, 202), put.text
    body = {"channel": "sms", "user_id": "gerd", "body": "Hi."}
    for seen in (await stack.final((await stack.post(body))["id"]), await on_kafka(stack, body)):
        assert (seen["status"], seen["reason"]) == ("rejected", "country_not_allowed")
        assert "user_id: numbers of DE are not in the setting sms.countries" in seen["timeline"][-1]["detail"]


@pytest.mark.parametrize(
    ("fields", "reason", "remedy"),
    [
        ({"template": "parcel", "data": {}}, "missing_data", "data: the template needs code"),
        ({"template": "parcel", "data": {"code": 7}}, "bad_data", "data: code is to be a text"),
        ({"template": "parcel", "data": {"code": "x" * 1601}}, "too_large", "shorten it"),
    ],
)
async def test_what_its_template_makes_of_it_is_rejected_by_both(
    stack: Stack, fields: dict[str, Any], reason: str, remedy: str
) -> None:
    template = {"text": "Code: {{ code }}", "required": ["code"], "types": {"code": "text"}}
    put = await stack.call("PUT", "/v1/admin/templates/parcel", user="admin", admin=True, json=template)
    assert put.status_code in (200, 201, 202), put.text
    body = {"channel": "sms", "to": "+33612345678", **fields}
    for seen in (await stack.final((await stack.post(body))["id"]), await on_kafka(stack, body)):
        assert (seen["status"], seen["reason"]) == ("rejected", reason)
        assert remedy in seen["timeline"][-1]["detail"]


async def test_a_bad_template_is_refused_when_it_is_written(stack: Stack) -> None:
    put = await stack.call(
        "PUT", "/v1/admin/templates/bad", user="admin", admin=True, json={"text": "Dear {{ name }},\n{% if %}"}
    )
    assert put.status_code == 422 and put.json()["errors"][0]["field"] == "text"
    assert "line 2" in put.json()["errors"][0]["message"]


async def test_a_mail_of_ten_megabytes_is_refused_before_it_is_read(stack: Stack) -> None:
    body = MAIL | {"attachments": [FILE | {"content": b64encode(bytes(10_000_000)).decode()}]}
    answer = await stack.call("POST", "/v1/notifications", json=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "send a link instead of an attachment" in answer.json()["detail"]


async def test_text_of_more_than_64_kilobytes_is_refused(stack: Stack) -> None:
    answer = await stack.call("POST", "/v1/notifications", json=MAIL | {"body": "x" * 66_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_lone_surrogate_is_refused_by_both(stack: Stack) -> None:
    key = f"bad-{uuid4()}"
    half = (
        b'{"channel": "email", "to": "ann@example.com", "subject": "x", "body": "\\ud800", "id": "%s"}' % key.encode()
    )
    headers = {"Content-Type": "application/json"}
    answer = await stack.call("POST", "/v1/notifications", content=half, headers=headers)
    assert answer.status_code == 422
    await publish(stack, half)
    assert (await stack.final(str(notification_id("default", "source:", key))))["status"] == "rejected"


async def test_what_is_as_long_as_it_may_be_is_sent(stack: Stack) -> None:
    """1,600 characters of the alphabet: eleven parts, and one of them more would be refused."""
    seen = await stack.final((await stack.post(SMS | {"body": "a" * 1600}))["id"])
    assert (seen["status"], seen["sms"]) == ("sent", {"encoding": "GSM-7", "segments": 11})
