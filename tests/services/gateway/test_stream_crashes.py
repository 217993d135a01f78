"""A gateway is killed under its listeners: who comes back has all of it, in order, none twice (P6.4)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import httpx

from kit.settings import KafkaSettings
from tests.servers import Session
from tests.services.gateway.coming_back import Person
from tests.services.gateway.conftest import due_of
from tests.services.gateway.support import others
from tests.services.gateway.test_crashes import process
from tests.waiting import eventually

PEOPLE = 8
KILLS = 3
EACH = 60


async def test_p6_4_killed_again_and_again(
    session: Session, kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    """Each kill hits in the midst of it; the next gateway finds what was shown and what was not."""
    people = [Person(f"person-{n}") for n in range(PEOPLE)]
    now: list[httpx.AsyncClient] = []
    async with others(kafka) as judge:
        tasks = [asyncio.create_task(one.listen(lambda: now[-1] if now else None)) for one in people]
        try:
            for kill in range(KILLS + 1):
                async with process(session, kafka, database, tmp_path) as gateway:
                    now.append(gateway.http)
                    if kill == 0:
                        await eventually(lambda: all(one.place for one in people))
                    ids = {one.name: [uuid4() for _ in range(EACH)] for one in people}
                    await judge.say(*(due_of(id, name) for name, each in ids.items() for id in each))
                    enough = EACH * (kill + 1) if kill == KILLS else EACH * kill + EACH // 3
                    await eventually(lambda enough=enough: all(len(one.offsets) >= enough for one in people))  # type: ignore[misc]
                now.clear()
        finally:
            for task in tasks:
                task.cancel()
        await asyncio.wait(tasks)
    for one in people:
        assert one.offsets == list(range(1, EACH * (KILLS + 1) + 1))
        assert one.lost >= KILLS
        assert len(set(one.shown)) == EACH * (KILLS + 1)
