"""No log of any service tells who was written to, what, or a secret: read through after a journey with every failure.

`logs/sms_simulation.log` is the outbox of the console provider, and exempt.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from kit.settings import KafkaSettings
from tests import servers as real
from tests.journeys.stack import SECRET, Instance, Stack
from tests.journeys.test_first_journeys import mail, publish
from tests.services.sms_sender.sns_server import SnsServer, sns_server
from tests.services.sms_sender.twilio_server import NUMBER, SID, TwilioServer, twilio_server
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSON, DOMAIN, PHONE = "zqannelise", "wombatland.example.com", "+33612399871"
ANOTHER: Final = "+33612399872"
"""For what comes after a provider has refused the number for good."""
WORDS: Final = ("Quarzbetreff", "Xylophonbotschaft", "Glimmerhtml", "Zirkondaten", "Feldspatdatei", "Basaltakte")
SUBJECT, BODY, HTML, DATA, FILE, TITLE = WORDS
TWILIO_TOKEN, AWS_KEY, LINK_SECRET = "twilio-token-of-basil", "aws-key-of-chervil", "a link secret of dill, long enough"
STRANGE = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJmZW5uZWwifQ.ZmVubmVs"
TOLD_TO_NOBODY: Final = (
    *(PERSON, DOMAIN, PHONE.removeprefix("+33"), ANOTHER.removeprefix("+33"), *WORDS),
    *(SECRET, TWILIO_TOKEN, AWS_KEY, LINK_SECRET, STRANGE),
)
"""What no log may hold, in whatever spelling: the number without its country, so that `+` or `%2B` do not matter."""

EXEMPT: Final = "sms_simulation.log"
PROVIDERS: Final = ("console", "twilio", "aws_sns")
DOES_BADLY: Final = ("provider_takes_nothing", "provider_ailing")
"""Which of the two hangs on what it took a moment before."""
EACH: Final = 24
"""Text messages at a time: enough for each of three senders to get some."""
MANY: Final = 90
"""Enough for each of them to get ten, after which a provider that fails them all is found to do badly."""
CONFIG = """
notifications:
  email: {retry: {max_attempts: 2, retry_delay_seconds: 1}}
  sms: {retry: {max_attempts: 2, retry_delay_seconds: 1}}
"""


@dataclass
class EveryProvider(Stack):
    """Three senders of text messages, each with another provider; everything is logged that can be."""

    twilio: TwilioServer = field(default_factory=TwilioServer)
    sns: SnsServer = field(default_factory=SnsServer)

    def _instance(self, service: str, number: int) -> Instance:
        one = super()._instance(service, number)
        if service == "sms_sender":
            one.environment |= {
                "SMS_PROVIDER": PROVIDERS[number],
                "TWILIO_ACCOUNT_SID": SID,
                "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
                "TWILIO_FROM": NUMBER,
                "TWILIO_API_BASE": self.twilio.base,
                "AWS_REGION": "eu-west-3",
                "AWS_ACCESS_KEY_ID": "AKIA0",
                "AWS_SECRET_ACCESS_KEY": AWS_KEY,
                "AWS_ENDPOINT_URL_SNS": self.sns.base,
            }
        return one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    session: real.Session, kafka_address: str, postgres_url: str, template: str
) -> AsyncIterator[EveryProvider]:
    kafka: KafkaSettings = real.kafka_settings(kafka_address)
    settings = {"NOTIFICATION_LOG_LEVEL": "DEBUG", "TOCSIN_LINK_SECRET": LINK_SECRET}
    async with twilio_server() as twilio, sns_server() as sns, real.copied_database(postgres_url, template) as database:
        twilio.token = TWILIO_TOKEN
        stack = EveryProvider(
            kafka,
            database,
            session.new_folder("quiet"),
            session.look_after,
            counts={"sms_sender": len(PROVIDERS)},
            settings=settings,
            config=CONFIG,
            twilio=twilio,
            sns=sns,
        )
        async with stack:
            yield stack
    await real.delete_topics(kafka)


def letter(behaviour: str = "anyone", **more: Any) -> dict[str, Any]:
    """A mail to the person, at a relay that does so."""
    return mail(f"{behaviour}+{PERSON}@{DOMAIN}", subject=SUBJECT, body=BODY, html=f"<p>{HTML}</p>", **more)


def message(to: str) -> dict[str, Any]:
    return {"channel": "sms", "to": to, "body": BODY}


async def mails(stack: Stack) -> list[str]:
    """Taken, refused, later, lost: each way that a relay can answer."""
    file = {"name": f"{FILE}.txt", "content_type": "text/plain", "content": b64encode(FILE.encode()).decode()}
    asked = [letter(attachments=[file]), *map(letter, ("550", "once-450", "554data", "drop-dot", "drop-rcpt"))]
    return [(await stack.post(one))["id"] for one in asked]


async def texts(
    stack: EveryProvider, twilio: Any, sns: Any, text: str, to: str = PHONE, count: int = EACH
) -> list[str]:
    """So many that each provider gets some, and answers like this."""
    stack.twilio.answer, stack.twilio.text, stack.sns.answer = twilio, text, sns
    return [(await stack.post(message(to)))["id"] for _ in range(count)]


async def bad_requests(stack: Stack) -> None:
    """What is refused before it is anything, by all ways in."""
    for body in ({"to": f"{PERSON}({BODY})@{DOMAIN}"}, {"subject": f"{SUBJECT}\n"}, {"data": BODY}):
        assert (await stack.call("POST", "/v1/notifications", json=letter() | body)).status_code == 422
        await publish(stack, json.dumps(letter() | body | {"id": f"{BODY}-1"}).encode())
    for topic in ("notifications.requested", "directory.recipients", "deadlines.tracked"):
        for value in (f'{{"to": "{PERSON}@{DOMAIN}", {BODY}', json.dumps({"email": f"{PERSON}@{DOMAIN}", BODY: TITLE})):
            await publish(stack, value.encode(), topic, key=f"default/{PERSON}".encode())
    await publish(stack, json.dumps({"email": BODY}).encode(), "notifications.sent", ce_type="tocsin.sent")
    old = {"type": "sms", "destinataire": PHONE, "contenu": BODY, "sujet": 7}
    assert (await stack.call("POST", "/notifications/", json=old)).status_code == 422
    called = {"To": PHONE, "Body": BODY, "MessageStatus": "delivered"}
    assert (await stack.call("POST", "/v1/callbacks/twilio", data=called)).status_code == 403
    headers = {"Authorization": f"Bearer {STRANGE}"}
    assert (await stack.http.get(f"{stack.url}/v1/inbox?ticket={STRANGE}", headers=headers)).status_code == 401


async def people(stack: Stack) -> list[str]:
    """The directory, a deadline, a bell, a template with data, a search."""
    person = {"email": f"{PERSON}@{DOMAIN}", "phone": PHONE}
    assert (await stack.call("PUT", "/v1/recipients/u7", admin=True, json=person)).is_success
    words = {"subject": SUBJECT, "text": f"{BODY} {{{{ word }}}}", "required": ["word"]}
    assert (await stack.call("PUT", "/v1/admin/templates/t7", admin=True, json=words)).is_success
    due = {"title": TITLE, "due_date": "2020-01-01", "assignees": ["u7"]}
    assert (await stack.call("PUT", "/v1/deadlines/d7", admin=True, json=due)).is_success
    asked = [
        {"channels": ["email", "sms", "inapp"], "user_id": "u7", "subject": SUBJECT, "body": BODY},
        {"channel": "email", "user_id": "u7", "template": "t7", "data": {"word": DATA}},
        {"channel": "email", "user_id": "u7", "template": "t7", "data": {DATA: 1}},
    ]
    ids = [(await stack.post(one))["id"] for one in asked]
    found = await stack.call("GET", "/v1/notifications", admin=True, params={"to": f"{PERSON}@{DOMAIN}"})
    assert found.is_success
    return ids[1:]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def written(stack: EveryProvider) -> dict[Path, bytes]:
    """Every log, after all that."""
    ids = await mails(stack)
    await bad_requests(stack)
    ids += await people(stack)
    parameter = f"Invalid parameter: PhoneNumber Reason: {PHONE} is not valid to publish to"
    phases: list[tuple[Any, Any, str]] = [
        (None, None, "as told"),
        ((400, 29999), (400, "SomethingNew", parameter), "{to} cannot get this"),
        ((400, 21211), (400, "InvalidParameter", parameter), "The 'To' number {to} is not a valid phone number."),
    ]
    for twilio, sns, text in phases:
        ids += await texts(stack, twilio, sns, text)
        await stack.finals(ids, within=PATIENCE)
    # From here on what is under way waits for a provider that does badly: nobody waits for its end.
    await texts(stack, "drop", "drop", "as told", ANOTHER, MANY)
    await said(stack, *DOES_BADLY, by=("sms_sender1", "sms_sender2"))
    refused = (403, "AuthorizationError", f"not for {ANOTHER}")
    await texts(stack, (401, 20003), refused, "Authenticate, for {to}", ANOTHER)
    await stack.post(letter("535"))
    await said(stack, "provider_configuration", by=("sms_sender1", "sms_sender2", "email_sender0"))
    return {path: path.read_bytes() for path in logs_of(stack)}


async def said(stack: Stack, *events: str, by: Sequence[str]) -> None:
    """Until each of them has logged one of these: one that found its provider ailing before rests up to a minute."""

    def all_have() -> bool:
        logs = [(stack.folder / f"{one}.log").read_text(errors="replace") for one in by]
        return all(any(event in log for event in events) for log in logs)

    await eventually(all_have, 3 * PATIENCE)


def logs_of(stack: Stack) -> Iterator[Path]:
    """What the services printed, and the files that they share."""
    yield from stack.folder.glob("*.log")
    yield from (path for path in (stack.folder / "logs").iterdir() if path.name != EXEMPT and path.is_file())


def in_base64(secret: str) -> Iterator[bytes]:
    """Wherever in a longer text it begins: what its neighbours have no part in."""
    for before, shared in enumerate((0, 2, 3)):
        yield b64encode(bytes(before) + secret.encode()).rstrip(b"=")[shared:-1]


async def test_everything_was_tried(stack: EveryProvider, written: dict[Path, bytes]) -> None:
    """Else the next test would prove nothing."""
    assert stack.twilio.messages and stack.sns.messages
    assert BODY in (stack.folder / "logs" / EXEMPT).read_text()
    assert {path.name for path in written} >= {"notifications.log", "sms_notifications.log", "email_notifications.log"}
    everything = b"\n".join(written.values())
    assert b"poison" in everything and any(event.encode() in everything for event in DOES_BADLY)


@pytest.mark.parametrize("secret", TOLD_TO_NOBODY)
async def test_no_log_tells(written: dict[Path, bytes], secret: str) -> None:
    for path, text in written.items():
        told = secret.lower().encode() in text.lower() or any(spelled in text for spelled in in_base64(secret))
        assert not told, path.name
