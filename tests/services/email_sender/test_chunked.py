"""Many mails on their way on one connection at once (RFC 3030): each one's outcome is its own, and exact."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import sleep
from typing import Any

import pytest

from contracts.events import Content
from contracts.status import Lane
from contracts.suppression import Cause
from deploy.local.sink import Sink
from kit.delivery.outcomes import Accepted, Halted, Outcome, Refused, Unavailable, Unknown
from kit.delivery.provider import Parcel
from services.email_sender.providers.smtp.chunked import DEEP
from services.email_sender.providers.smtp.dialogue import Dialogue
from services.email_sender.providers.smtp.pool import Pool
from services.email_sender.providers.smtp.provider import Smtp
from tests.kit.delivery.support import due
from tests.services.email_sender.mail_server import DROP, SILENCE, Scripted, scripted
from tests.services.email_sender.test_smtp import parcel, smtp
from tests.waiting import PATIENCE

OFFERS = ("PIPELINING", "CHUNKING", "SIZE 10000000")
TURN = 0.02
UNANSWERED = Unknown("unknown_outcome", "no answer after the end of the message")
BAD = "bad@example.com"


class Once(dict[str, str]):
    """Answers that are given one time each."""

    def get(self, key: str, default: Any = None) -> Any:
        return self.pop(key, default)


@asynccontextmanager
async def chunked(answers: dict[str, str], timeout: float = PATIENCE) -> AsyncIterator[tuple[Scripted, Smtp]]:
    """With a connection that is open already, to a relay that was quick, however busy this machine is."""
    async with scripted(answers, offers=OFFERS) as script, smtp(script.port, timeout=timeout) as provider:
        assert isinstance(await provider.hand_over(parcel("before@example.com")), Accepted)
        provider.pool._idle[0]._pace = 0.0  # type: ignore[attr-defined]
        yield script, provider


async def at_once(provider: Smtp, *to: str) -> Sequence[Outcome]:
    return await asyncio.gather(*(provider.hand_over(parcel(address)) for address in to))


async def test_many_at_once_are_taken_as_they_were_meant() -> None:
    """None twice, none missing."""
    parcels = [parcel(f"{n}@example.com") for n in range(200)]
    async with Sink() as sink, smtp(sink.port) as provider:
        await provider.hand_over(parcel())
        said = await asyncio.gather(*(provider.hand_over(one) for one in parcels[: 3 * DEEP]))
        said += await asyncio.gather(*(provider.hand_over(one) for one in parcels[3 * DEEP :]))
    assert all(isinstance(one, Accepted) for one in said)
    ids = {f"<{one.due.id}@example.com>".encode(): 1 for one in parcels}
    assert {one: count for one, count in sink.count.message_ids.items() if one in ids} == ids


async def test_several_leave_in_one_writing() -> None:
    async with chunked({}) as (script, provider):
        said = await at_once(provider, "a@example.com", "b@example.com", "c@example.com")
        assert all(isinstance(one, Accepted) for one in said) and script.connections == 1
        assert [session.mails for session in provider.pool._idle] == [4]
        assert script.said.count("RSET") == 2


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (
            {f"RCPT TO:<{BAD}>": "550 5.1.1 no"},
            Refused("recipient_refused", "550 5.1.1 no", Cause.HARD_BOUNCE),
        ),
        ({f"RCPT TO:<{BAD}>": "450 4.2.1 later"}, Unavailable("recipient_deferred", "450 4.2.1 later")),
        ({f"BDAT {BAD}": "554 5.7.1 no"}, Refused("message_refused", "554 5.7.1 no")),
        ({f"BDAT {BAD}": "452 4.5.3 too many"}, Halted("provider_quota", "452 4.5.3 too many")),
        ({f"BDAT {BAD}": "well"}, UNANSWERED),
    ],
)
async def test_who_comes_behind_a_mail_in_trouble_is_none_the_worse(answers: dict[str, str], expected: Outcome) -> None:
    """On the same connection, which nobody new begins on."""
    async with chunked(answers) as (script, provider):
        first, bad, behind = await at_once(provider, "a@example.com", BAD, "c@example.com")
        assert bad == expected and isinstance(first, Accepted) and isinstance(behind, Accepted)
        assert script.connections == 1 and provider.pool._idle == []


@pytest.mark.parametrize("step", ["RCPT TO:<{}>", "BDAT {}"])
async def test_what_stands_behind_a_421_goes_elsewhere(step: str) -> None:
    """The server did nothing of what it was asked afterwards: surely not sent, and not the fault of those mails."""
    async with chunked({step.format(BAD): "421 4.3.2 closing"}) as (script, provider):
        first, bad, behind, last = await at_once(provider, "a@example.com", BAD, "c@example.com", "d@example.com")
        assert bad == Unavailable("provider_unavailable", "421 4.3.2 closing")
        assert all(isinstance(one, Accepted) for one in (first, behind, last)) and script.connections > 1


async def test_a_relay_that_wants_a_new_connection_costs_no_attempt() -> None:
    async with chunked({}) as (script, provider):
        script.answers = Once(MAIL="421 4.7.0 enough for now")
        assert isinstance(await provider.hand_over(parcel()), Accepted) and script.connections == 2


@pytest.mark.parametrize("answer", [DROP, SILENCE])
async def test_p5_2_what_left_and_was_not_answered_is_unknown(answer: str) -> None:
    """What was answered before is not."""
    async with chunked({f"BDAT {BAD}": answer}, timeout=3.0 if answer == SILENCE else PATIENCE) as (_, provider):
        first, bad, behind = await at_once(provider, "a@example.com", BAD, "c@example.com")
        assert isinstance(first, Accepted) and (bad, behind) == (UNANSWERED, UNANSWERED)


async def test_p5_5_nothing_is_begun_once_its_time_is_over() -> None:
    """Composing may have taken all of it, and the lease may be over soon: it would be unknown, or sent by another."""
    async with chunked({}) as (script, provider):
        said, provider.timeout = script.said.copy(), 0.0
        late = await provider.hand_over(parcel("late@example.com"))
        assert late == Unavailable("sender_busy", "its time was over before it could be handed over")
        provider.timeout = PATIENCE
        assert isinstance(await provider.hand_over(parcel()), Accepted) and script.connections == 1
        assert not any("late@" in line for line in script.said[len(said) :])


async def test_what_never_left_our_own_end_is_surely_not_sent() -> None:
    """A server that stops to read: what lies in front of the system is not handed over, and goes elsewhere."""
    async with chunked({f"RCPT TO:<{BAD}>": SILENCE}) as (_, provider):
        mail, session = await provider._mail(parcel(BAD)), provider.pool._idle[0]
        huge = mail._replace(message=mail.message + b"y" * 8_000_000)
        session.enter(), session.enter()
        deadline = asyncio.get_running_loop().time() + 1.0
        said = await asyncio.gather(session.send(mail, deadline), session.send(huge, deadline))
    assert said == [UNANSWERED, None]


async def test_a_slow_relay_is_given_more_connections() -> None:
    async with chunked({}) as (script, provider):
        session = provider.pool._idle[0]
        session._pace = 1.0  # type: ignore[attr-defined]
        await at_once(provider, "a@example.com", "b@example.com", "c@example.com")
        assert script.connections == 3


async def test_that_we_are_busy_ourselves_is_no_slowness_of_the_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer waits for three turns of our own loop: where one takes ten seconds, the relay took nothing."""
    async with chunked({}) as (_, provider):
        await provider.hand_over(parcel())
        [session] = provider.pool._idle
        session._pace = 1.0  # type: ignore[attr-defined]
        monkeypatch.setattr(Dialogue, "lag", property(lambda _: 10.0, lambda *_: None), raising=False)
        await provider.hand_over(parcel())
        assert session._pace == pytest.approx(1.0 - 1.0 / DEEP)  # type: ignore[attr-defined]


async def test_what_a_writing_waited_for_its_turn_is_known() -> None:
    async with chunked({}) as (_, provider):
        await provider.hand_over(parcel())
        [session] = provider.pool._idle
        dialogue = session._dialogue
        dialogue.write(b"NOOP\r\n")
        sleep(TURN)  # noqa: ASYNC251  # nobody else gets a turn
        await dialogue.replies(1)
        assert dialogue.lag >= TURN


async def test_where_connections_are_many_mails_ride_all_the_same() -> None:
    async with chunked({}) as (script, provider):
        provider.pool = Pool(provider._open, many=1)
        await provider.hand_over(parcel())
        provider.pool._idle[0]._pace = 1.0  # type: ignore[attr-defined]
        await at_once(provider, "a@example.com", "b@example.com", "c@example.com")
        assert script.connections == 2


async def test_an_urgent_mail_rides_behind_no_other() -> None:
    urgent = Parcel(due(Lane.URGENT, content=Content(to="ann@example.com", subject="Hello", text="Hi.")))
    async with chunked({}) as (script, provider):
        await asyncio.gather(provider.hand_over(parcel()), provider.hand_over(urgent))
        assert script.connections == 2
