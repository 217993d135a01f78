"""What the gateway reads back of its own requests is known to it already; whatever else claims to be that is read."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import events as e
from contracts.cloudevents import encode
from contracts.status import Lane, Status
from contracts.topics import REQUESTED
from kit.bus.record import Received
from kit.clock import utc_now
from kit.reading import Batch
from services.gateway.handlers import projector
from services.gateway.handlers.echoes import Echo, echo_of
from tests.services.gateway.conftest import House, message
from tests.services.gateway.said import MANY, requested, sent

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def record(event: e.Event, source: str = "gateway", **more: Any) -> Received:
    """As it comes back from Kafka."""
    said = encode(event, source)
    received = Received(REQUESTED[Lane.NORMAL].name, 0, 1, utc_now(), said.key, said.value, tuple(said.headers))
    return received._replace(**more)


async def hears(house: House, *records: Received | e.Event) -> None:
    """The projector, in one batch; events are read already."""
    batch = Batch("gateway", echo_of)
    messages = [m for one in records for m in (batch.read([one]) if isinstance(one, Received) else [message(one)])]
    assert not batch.poison
    async with house.database.transaction() as connection:
        await projector.project(connection, messages)


async def row(house: House, id: str | UUID) -> dict[str, Any]:
    async with house.database.connection() as connection:
        found = await connection.fetchrow("select * from notifications where id = $1", UUID(str(id)))
    assert found is not None
    return dict(found)


async def counted(house: House) -> dict[tuple[str, int], int]:
    """By channel and rank, in the counts per hour, which are those per owner as well."""
    async with house.database.connection() as connection:
        hours, tallies = [
            {(row["channel"], row["rank"]): row["n"] for row in await connection.fetch(f"select * from {table}")}
            for table in ("hours", "tallies")
        ]
    assert hours == tallies
    return {place: n for place, n in hours.items() if n}


async def test_accepted_is_counted_when_its_request_comes_back(house: House) -> None:
    """P9: what REST has accepted is counted by what Kafka has of it; and once, however often that comes."""
    id = await house.post()
    assert await counted(house) == {}
    for _ in range(3):
        await hears(house, record(requested(id)))
        assert await counted(house) == {("email", 0): 1}


async def test_an_echo_changes_nothing_else(house: House) -> None:
    """Whatever the record holds: of what is written down here nothing is taken from there."""
    id = await house.post()
    before = await row(house, id)
    other = requested(id, owner="user:mallory", tenant="acme", user_id="mallory")
    await hears(house, record(other), record(other, value=b"no JSON at all"))
    assert await row(house, id) == before | {"counted": "email:0"}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("together", [True, False])
async def test_sent_and_its_echo_in_any_order_are_counted_once(house: House, first: bool, together: bool) -> None:
    id = await house.post()
    said: list[Received | e.Event] = [record(requested(id)), sent(id)]
    said = said if first else said[::-1]
    for batch in [said] if together else [[one] for one in said]:
        await hears(house, *batch)
    assert await counted(house) == {("email", Status.SENT.rank): 1}
    assert (await house.get(id))["status"] == "sent"


async def test_a_request_without_its_row_is_read(house: House) -> None:
    """After a restore Kafka knows what our tables do not; and another may call himself what we are."""
    id = uuid4()
    await hears(house, record(requested(id)), record(requested(id)))
    seen = await house.get(str(id))
    assert (seen["status"], seen["subject"]) == ("accepted", "s")
    assert await counted(house) == {("email", 0): 1}


async def test_each_channel_of_several_is_counted(house: House) -> None:
    """P6.3: they are rows of their own, of which the headers know nothing."""
    id = await house.post(MANY)
    told = requested(id, request=MANY, channel=None, user_id="bob")
    for _ in range(2):
        await hears(house, record(told))
        assert await counted(house) == {("email", 0): 1, ("inapp", 0): 1}


@pytest.mark.parametrize("value", [b"no JSON at all", b"[]", b'{"id": '])
async def test_p7_a_forged_echo_that_nobody_can_read_holds_up_nobody(house: House, value: bytes) -> None:
    """Intake reports it; here it is passed over, and what else is in the batch is done at once."""
    id, forged = await house.post(), uuid4()
    await hears(house, record(requested(forged), value=value), record(requested(id)), sent(id))
    assert (await house.get(id))["status"] == "sent"
    assert await counted(house) == {("email", Status.SENT.rank): 1}


async def test_what_somebody_is_changing_is_not_waited_for(house: House) -> None:
    """Two projectors would wait for each other's rows for ever; what is passed over is counted by its next event."""
    id = await house.post()
    async with house.database.transaction() as other:
        await other.execute("update notifications set detail = '' where id = $1", UUID(id))
        await hears(house, record(requested(id)))
    assert await counted(house) == {}
    await hears(house, sent(id))
    assert await counted(house) == {("email", Status.SENT.rank): 1}


def _named(subject: bytes) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, subject if name == "ce_subject" else text) for name, text in record(requested(uuid4())).headers)


def test_only_our_own_requests_are_echoes() -> None:
    id = uuid4()
    assert echo_of(record(requested(id))) == Echo(id=id)
    assert echo_of(record(requested(id), source="scheduler")) is None, "what it fires is no row of ours yet"
    assert echo_of(record(requested(id, trace=TRACE))) is None, "its reading is a part of the trace"
    assert echo_of(record(e.Cancel(id=id, command=uuid4(), accepted_at=utc_now()))) is None
    assert echo_of(record(requested(id), topic="notifications.sent")) is None
    assert echo_of(record(requested(id), value=None)) is None
    assert echo_of(record(requested(id), headers=())) is None
    assert echo_of(record(requested(id), headers=_named(b"no id"))) is None
    assert echo_of(record(requested(id), headers=_named(b"\xff"))) is None
