"""A crowd waits for outcomes: each hears his own, and all of them look as often as one does."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any
from uuid import UUID

import pytest

from contracts import events as e
from contracts.identity import notification_id
from contracts.status import Channel
from kit.clock import utc_now
from kit.postgres import Connection
from services.gateway.store import reading
from tests.services.gateway.conftest import ALICE, BELL, EMAIL, House
from tests.waiting import eventually

CROWD = 200


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For how many each look was."""
    seen: list[int] = []
    ended = reading.ended

    async def counted(connection: Connection, ids: Collection[UUID]) -> set[UUID]:
        seen.append(len(ids))
        return await ended(connection, ids)

    monkeypatch.setattr(reading, "ended", counted)
    return seen


def sent(id: str, channel: Channel = Channel.EMAIL) -> e.Sent:
    return e.Sent(id=id, owner="user:alice", channel=channel, accepted_at=utc_now(), at=utc_now())


async def asked(house: House, n: int, body: dict[str, Any] = EMAIL) -> str:
    """Its status when it is answered."""
    headers = ALICE | {"Idempotency-Key": f"k{n}"}
    answer = await house.http.post("/v1/notifications?wait=30", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["status"])


async def test_a_crowd_waits_and_each_hears_his_own(house: House, looks: list[int]) -> None:
    waiting = [asyncio.create_task(asked(house, n)) for n in range(CROWD)]
    await eventually(lambda: CROWD in looks)
    ids = [str(notification_id("default", "user:alice", f"k{n}")) for n in range(CROWD)]
    await house.hears(*map(sent, ids[:50]))
    assert await asyncio.gather(*waiting[:50]) == ["sent"] * 50
    assert not any(one.done() for one in waiting[50:])
    begun = len(looks)
    await eventually(lambda: len(looks) > begun + 1)
    assert looks[-1] == CROWD - 50, "one look for all"
    await house.hears(*map(sent, ids[50:]))
    assert await asyncio.gather(*waiting[50:]) == ["sent"] * (CROWD - 50)
    begun = len(looks)
    assert await asyncio.gather(asked(house, 0), asked(house, 0)) == ["sent", "sent"]
    assert looks[begun:] == [1], "two who wait for the same are one, and nobody looks on when nobody waits"


async def test_several_channels_have_ended_when_all_have(house: House, looks: list[int]) -> None:
    body = {key: value for key, value in BELL.items() if key != "channel"} | {"channels": ["inapp", "email"]}
    waiting = asyncio.create_task(asked(house, 0, body))
    await eventually(lambda: bool(looks))
    id = await house.post(body, key="k0")
    bell, mail = (child["id"] for child in (await house.get(id))["children"])
    await house.hears(sent(bell, Channel.INAPP))
    begun = len(looks)
    await eventually(lambda: len(looks) > begun + 1)
    assert not waiting.done()
    await house.hears(sent(mail))
    assert await waiting == "sent"
