"""The two ways a frame takes to a client: a WebSocket, or server-sent events. Writing never waits."""

import asyncio
from collections import deque
from typing import Protocol
from uuid import UUID

from kit.web_socket import SocketProtocol
from services.gateway.stream.codes import Close
from services.gateway.stream.frames import HEARTBEAT, Words, goodbye


class Wire(Protocol):
    """What a listener writes to. `backlog`: bytes that were written and that nobody has taken yet."""

    @property
    def backlog(self) -> int: ...

    def write(self, words: Words) -> None: ...

    async def drained(self) -> None:
        """Returns when there is room again, or when the connection is lost."""

    def end(self, close: Close) -> None:
        """The last word. What comes after it is not written."""


class SocketWire:
    """A WebSocket: what waits is in the buffer of its transport."""

    __slots__ = ("_socket",)

    def __init__(self, socket: SocketProtocol) -> None:
        self._socket = socket

    @property
    def backlog(self) -> int:
        return self._socket.backlog

    def write(self, words: Words) -> None:
        self._socket.put(words.for_socket())

    async def drained(self) -> None:
        await self._socket.drained()

    def end(self, close: Close) -> None:
        self._socket.end(close.code, close.reason)


class EventsWire:
    """Server-sent events: what waits is kept here until `taken` by the response."""

    def __init__(self) -> None:
        self.epoch: UUID | None = None
        self.ended: Close | None = None
        self._waiting: deque[bytes] = deque()
        self._something = asyncio.Event()
        self._end = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.backlog = 0

    def write(self, words: Words) -> None:
        if self.ended or self.epoch is None:
            return
        self._put(b":\n\n" if words is HEARTBEAT else words.for_events(self.epoch))

    async def drained(self) -> None:
        await self._room.wait()

    def end(self, close: Close) -> None:
        self.write(goodbye(close))
        self.ended = self.ended or close
        self._end.set()
        self._something.set()
        self._room.set()

    async def over(self) -> None:
        """Returns after the last word."""
        await self._end.wait()

    async def taken(self) -> bytes:
        """All that waits, once there is something; nothing after the end."""
        await self._something.wait()
        taken = b"".join(self._waiting)
        self._waiting.clear()
        self.backlog = 0
        self._room.set()
        if not self.ended:
            self._something.clear()
        return taken

    def _put(self, event: bytes) -> None:
        self._waiting.append(event)
        self.backlog += len(event)
        self._something.set()
        self._room.clear()
