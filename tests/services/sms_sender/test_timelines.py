"""What people read of a text message, for each class of answer, from servers that really answer so: signal, class,
action, timeline."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from contracts.events import Content, Failed, Retry, Sent, Taken, Undelivered
from contracts.status import Channel
from kit.delivery.receipts import Receipts
from kit.metrics import Metrics
from services.gateway.rules import timeline
from services.sms_sender.providers import sns, twilio
from services.sms_sender.rules.twilio import meant_by
from tests.kit.delivery.support import LANES, House, due, now
from tests.kit.delivery.test_receipts import announced, heard, receipt
from tests.services.sms_sender.sns_server import sns_server
from tests.services.sms_sender.twilio_server import NUMBER, SID, TOKEN, twilio_server

TEXT = "Your parcel is here."


class Counterpart(NamedTuple):
    """A provider, the server that it speaks to, and how that one is made to answer."""

    provider: Any
    server: Any
    answers: dict[str, Any]


@asynccontextmanager
async def by_twilio() -> AsyncIterator[Counterpart]:
    async with twilio_server() as server:
        provider = twilio.Twilio("twilio", twilio.Account(SID, TOKEN, NUMBER, server.base), "http://127.0.0.1")
        answers = {
            "passing": (429, 20429),
            "the number": (400, 21610),
            "the text": (400, 30007),
            "the account": (401, 20003),
            "unclear": (400, 29999),
            "unknown": "drop",
        }
        yield Counterpart(provider, server, answers)
        await provider.close()


@asynccontextmanager
async def by_sns() -> AsyncIterator[Counterpart]:
    async with sns_server() as server:
        account = sns.Account("eu-west-3", "AKIA0", "secret", endpoint=server.base)
        provider = sns.Sns("aws_sns", account)
        answers = {
            "passing": (400, "Throttling", "as told"),
            "the number": (400, "EndpointDisabled", "as told"),
            "the text": (400, "InvalidParameter", "as told"),
            "the account": (403, "AuthorizationError", "as told"),
            "unclear": (400, "SomethingNew", "as told"),
            "unknown": "drop",
        }
        yield Counterpart(provider, server, answers)
        await provider.close()


@pytest.fixture(params=[by_twilio, by_sns], ids=["twilio", "aws_sns"])
async def other(request: pytest.FixtureRequest) -> AsyncIterator[Counterpart]:
    async with request.param() as one:
        yield one


def message() -> Any:
    return due(channel=Channel.SMS, content=Content(to="+33612345678", text=TEXT))


async def put(home: House, one: Any) -> None:
    """The house's sender listens on the lanes of mail; what it hands over is for its provider to say."""
    await home.put(one, topic=LANES[1])


def read(*events: Any) -> list[tuple[str, str]]:
    """The lines of the timeline, and the first word of why."""
    lines = []
    for event in events:
        said = timeline.taken(event) if isinstance(event, Taken) else _told(event)
        lines += [(line.event, line.provider or "") for line in said]
    return lines


def _told(event: Failed | Retry) -> list[timeline.Entry]:
    return timeline.failed(event, now()) if isinstance(event, Failed) else timeline.retry(event, now())


@pytest.mark.parametrize("signal", ["passing", "unclear"])
async def test_what_passes_is_tried_again(home: House, other: Counterpart, signal: str) -> None:
    one = message()
    other.server.answer = other.answers[signal]
    async with home.sender(other.provider):
        await put(home, one)
        said = await home.hears(one, Retry)
    assert (said.unknown, said.attempt, said.hold) == (0, 1, False)
    assert read(said) == [("retrying", other.provider.name)]


@pytest.mark.parametrize(("signal", "reason"), [("the number", "recipient_refused"), ("the text", "message_refused")])
async def test_what_will_be_refused_every_time_fails_at_once(
    home: House, other: Counterpart, signal: str, reason: str
) -> None:
    one = message()
    other.server.answer = other.answers[signal]
    async with home.sender(other.provider):
        await put(home, one)
        said = await home.hears(one, Failed)
    assert (said.reason, said.attempt) == (reason, 1)
    assert read(said) == [("failed", other.provider.name)]
    assert len(other.server.messages) == 1


async def test_what_is_wrong_with_the_account_fails_nobody_and_uses_no_attempt(home: House, other: Counterpart) -> None:
    one = message()
    other.server.answer = other.answers["the account"]
    async with home.sender(other.provider, pauses=(0.2,)) as running:
        await put(home, one)
        await home.until(lambda: bool(running.sender.held()))
        other.server.answer = None
        said = await home.hears(one, Sent)
    assert (said.attempt, said.unknown) == (1, 0)
    assert read(said) == [("sent", other.provider.name)]
    assert home.said(one, Failed) == [] and home.said(one, Retry) == []


async def test_p5_2_what_was_perhaps_taken_is_flagged(home: House, other: Counterpart) -> None:
    one = message()
    other.server.answer = other.answers["unknown"]
    async with home.sender(other.provider):
        await put(home, one)
        said = await home.hears(one, Retry)
        assert (said.reason, said.unknown) == ("unknown_outcome", 1)
        assert read(said) == [("unknown", other.provider.name), ("retrying", other.provider.name)]
        other.server.answer = None
        await put(home, said.due)
        sent = await home.hears(one, Sent)
    assert (sent.unknown, sent.segments, sent.encoding) == (1, 1, "GSM-7")
    assert read(sent) == [("unknown", ""), ("resent", ""), ("sent", other.provider.name)]


@pytest.mark.parametrize("answer", [None, (500, None)], ids=["answered", "500"])
async def test_p5_9_a_lost_answer_changes_nothing_of_how_it_ends(home: House, answer: Any) -> None:
    """30003, the phone is off: Twilio has tried it, and has the message. It is not handed over again."""
    one, receipts = message(), Receipts(home.database, home.publisher, meant_by, Metrics())
    async with by_twilio() as other:
        other.server.answer = answer
        async with home.sender(other.provider):
            await put(home, one)
            await home.hears(one, Retry if answer else Sent)
        await heard(home, receipts, receipt(one.id, "undelivered", code="30003", name="SM7"))
        await receipts.once()
        assert (await announced(home, one, receipts, other.provider)).unknown == 0
        ended = await home.hears(one, Undelivered)
        async with home.sender(other.provider):
            await put(home, one.model_copy(update={"try_": 2}))
            assert await home.hears(one, Undelivered, 2) == ended
        assert len(other.server.messages) == 1
    assert read(ended) == [("undelivered", "twilio")] and ended.detail == "30003" and ended.suppress is None
