"""`python -m benchmarks.somebody`: somebody in particular, while a crowd is told a lot; the answer is one line of JSON.

A process of its own: what the crowd takes to hear is not to be measured as what somebody waits.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, Final
from uuid import uuid4

import aiohttp
import uvloop

from benchmarks.listeners import SETTLE, Crowd, Delay, Socket, connected, cpu_used, due_of, parser, token, told_to_go

TARGETS: Final = 50
PER_SECOND: Final = 20


class Somebody(Crowd):
    """Some people, one at a time: reads an entry (in another tab), and is sent one; from the intended instant on."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.waiting: dict[tuple[str, str], float] = {}
        self.late: dict[str, list[float]] = {"read": [], "notification": []}

    def heard(self, socket: Socket, text: bytes) -> None:
        now, frame = time.perf_counter(), json.loads(text)
        if (intended := self.waiting.pop((frame["type"], frame.get("id", "")), None)) is not None:
            self.late[frame["type"]].append(now - intended)

    async def targeted(self, seconds: float) -> dict[str, Any]:
        people = [f"target-{n}" for n in range(TARGETS)]
        await self.listen(people)
        entries = [(people[n % TARGETS], uuid4()) for n in range(int(seconds * PER_SECOND / 2) + 1)]
        await self.say([due_of(person, id) for person, id in entries])
        await told_to_go()
        await asyncio.sleep(SETTLE)
        self.late["notification"].clear()
        async with Delay() as delay, aiohttp.ClientSession(f"http://127.0.0.1:{self.given.port}") as http:
            jobs, begun = [], time.perf_counter()
            for n, (person, id) in enumerate(entries):
                intended = begun + 2 * n / PER_SECOND
                jobs.append(asyncio.create_task(self._read(http, person, str(id), intended)))
                jobs.append(asyncio.create_task(self._send(person, intended + 1 / PER_SECOND)))
            await asyncio.gather(*jobs)
            await asyncio.sleep(SETTLE)
        return {"late": self.late, "delay": delay.late, "cpu": cpu_used(), "wanted": len(entries)}

    async def _read(self, http: aiohttp.ClientSession, person: str, id: str, intended: float) -> None:
        await asyncio.sleep(max(0.0, intended - time.perf_counter()))
        self.waiting["read", id] = intended
        async with http.post(f"/v1/inbox/{id}/read", headers={"Authorization": f"Bearer {token(person)}"}) as answer:
            await answer.read()

    async def _send(self, person: str, intended: float) -> None:
        await asyncio.sleep(max(0.0, intended - time.perf_counter()))
        due = due_of(person)
        self.waiting["notification", str(due.id)] = intended
        await self.say([due])


async def main() -> None:
    given = parser("somebody").parse_args()
    async with connected(given) as parts:
        print(json.dumps(await Somebody(given, *parts).targeted(given.seconds)))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    sys.exit(0)
