"""Clients who ask at a pace of their own, whatever is answered, and never twice: what comes back is counted."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from services.gateway.outbox.writer import NOT_IN_TIME
from tests.waiting import eventually

TICK = 0.01
AT_ONCE = 200
ACCEPTED, LIMITED, AWAY = 202, 429, 503


@dataclass
class Told:
    """What was answered: how often each status, which ids were accepted, and all that should not be."""

    statuses: Counter[int] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unsure: int = 0
    """Of those that were told to come back, how many may be accepted all the same."""
    unasked: int = 0
    """Requests for which there was no connection: all of them waited for an answer."""

    def note(self, head: str, body: bytes) -> None:
        status = int(head.split(" ", 2)[1])
        self.statuses[status] += 1
        if status == ACCEPTED:
            self.accepted.append(json.loads(body)["id"])
        elif status not in (LIMITED, AWAY) or "\r\nretry-after: " not in head:
            self.wrong.append(f"{head}\n{body[:300]!r}")
        elif NOT_IN_TIME in json.loads(body)["detail"]:
            self.unsure += 1


class Flood:
    """Many connections to one gateway, each with one request at a time."""

    def __init__(self, port: int, request: bytes) -> None:
        """`request`: as it goes over the wire."""
        self.told = Told()
        self._port = port
        self._request = request
        self._open: set[Client] = set()
        # The longest unused first: one that is left aside for seconds, the gateway may close just when it is used.
        self._free: deque[Client] = deque()
        self._again: Callable[[], bool] = lambda: False

    async def ask_on(self, connections: int, seconds: float) -> float:
        """Who is answered asks again at once. How many were accepted in a second."""
        await self._connect(connections)
        before, over = len(self.told.accepted), time.monotonic() + seconds
        self._again = lambda: time.monotonic() < over
        for _ in range(connections):
            self._ask()
        await self._answered()
        return (len(self.told.accepted) - before) / seconds

    async def offer(self, connections: int, per_second: float, seconds: float) -> None:
        """So many a second, however slowly they are answered."""
        await self._connect(connections)
        self._again = lambda: False
        begun, offered = time.monotonic(), 0
        while (passed := time.monotonic() - begun) < seconds:
            due = int(passed * per_second) - offered
            for _ in range(due):
                self._ask()
            offered += due
            await asyncio.sleep(TICK)
        await self._answered()

    async def _connect(self, connections: int) -> None:
        """So that there are so many."""
        loop = asyncio.get_running_loop()
        while (more := min(connections - len(self._open), AT_ONCE)) > 0:
            made = [loop.create_connection(lambda: Client(self), "127.0.0.1", self._port) for _ in range(more)]
            for _, client in await asyncio.gather(*made):
                self._open.add(client)
                self._free.append(client)

    def _ask(self) -> None:
        if self._free:
            self._free.popleft().ask(self._request)
        else:
            self.told.unasked += 1

    async def _answered(self) -> None:
        """Returns when nobody waits any more."""
        await eventually(lambda: len(self._free) == len(self._open))

    def heard(self, client: Client, head: str, body: bytes) -> None:
        self.told.note(head, body)
        if self._again():
            client.ask(self._request)
        else:
            self._free.append(client)

    def lost(self, client: Client, error: Exception | None) -> None:
        self._open.discard(client)
        if client in self._free:
            self._free.remove(client)
        else:
            self.told.wrong.append(f"the connection ended instead of an answer: {error!r}")

    def close(self) -> None:
        for client in self._open:
            client.close()


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, flood: Flood) -> None:
        self._flood = flood
        self._heard = b""
        self._closed = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> None:
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        head, found, body = self._heard.partition(b"\r\n\r\n")
        told = head.decode("latin-1").lower()
        if found and len(body) >= int(told.partition("content-length: ")[2].partition("\r")[0]):
            self._heard = b""
            self._flood.heard(self, told, body)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._closed:
            self._flood.lost(self, error)

    def close(self) -> None:
        self._closed = True
        self._transport.close()
