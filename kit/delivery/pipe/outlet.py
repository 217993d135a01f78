"""A provider, the gate before it, its pace, and the hands that carry messages there."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Generic, Protocol, TypeVar

from contracts.events import named
from kit.delivery.gate import Gate
from kit.delivery.pace.pace import Pace, Shut
from kit.delivery.provider import Askable, Provider
from kit.engine import Ticket

USED_UP: Final = "used_up"
"""As a state: its day is used up, but for what is kept for urgent messages."""


class Carried(Protocol):
    """What hands can carry."""

    ticket: Ticket


T = TypeVar("T", bound=Carried)


class Hands(Generic[T]):
    """At most `most` calls of `give` at a time, the most urgent next; `spare` hands are for urgent ones alone."""

    def __init__(
        self, give: Callable[[T], Awaitable[None]], broken: Callable[[BaseException], None], most: int, spare: int
    ) -> None:
        self._give = give
        self._broken = broken
        self._most = most
        self._spare = spare
        self._queues: tuple[deque[T], ...] = (deque(), deque(), deque())
        self._urgent, self._normal, self._bulk = self._queues
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_the_rest = 0

    def __len__(self) -> int:
        """How many nobody has begun with."""
        return sum(map(len, self._queues))

    def put(self, items: Iterable[T]) -> None:
        """To be given, each in its turn."""
        for item in items:
            self._queues[item.ticket.rank].append(item)
        for _ in range(min(self._most - len(self._tasks), len(self))):
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def take_unbegun(self) -> list[T]:
        """Everything that nobody has begun with."""
        taken = [item for queue in self._queues for item in queue]
        for queue in self._queues:
            queue.clear()
        return taken

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _work(self) -> None:
        while True:
            if self._urgent:
                await self._give(self._urgent.popleft())
            elif self._on_the_rest < self._most - self._spare and (queue := self._normal or self._bulk):
                self._on_the_rest += 1
                await self._give(queue.popleft())
                self._on_the_rest -= 1
            else:
                return

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._broken(error)


class Outlet:
    """One way out of the house."""

    def __init__(self, provider: Provider, gate: Gate, pace: Pace, position: int = 0) -> None:
        """`position` in the order in which providers are preferred."""
        self.provider = provider
        self.gate = gate
        self.pace = pace
        self.position = position
        self.askable = provider if isinstance(provider, Askable) and provider.ask_after else None
        """The same provider, where it can be asked what became of a message."""

    def is_open(self, *, urgent: bool) -> bool:
        """It takes what comes, if only in its time."""
        return self.gate.is_open and not self.pace.used_up(urgent=urgent)

    @property
    def state(self) -> str:
        """In a word: its gate's, or `used_up`."""
        return USED_UP if self._used_up else self.gate.state

    @property
    def _used_up(self) -> Shut | None:
        return self.pace.used_up(urgent=False) if self.gate.is_open else None

    def about(self) -> dict[str, Any]:
        """How it is doing, for people."""
        used_up = self._used_up
        return {
            "name": self.provider.name,
            "position": self.position + 1,
            "state": self.state,
            "reason": used_up.limit.unit if used_up else self.gate.why,
            "detail": used_up.words if used_up else self.gate.detail,
            "opens_at": named(used_up.opens_at) if used_up else None,
        }
