"""Whose streams went on, in the order in which they are looked at."""

import asyncio
from collections.abc import Callable, Collection, Iterable

from services.gateway.store.inbox import Person


class Hints:
    """A person is in here once. What people have done themselves, and wait for, comes before what was sent to many."""

    def __init__(self) -> None:
        self._first: dict[Person, None] = {}
        self._later: dict[Person, None] = {}
        self._something = asyncio.Event()

    def add(self, people: Iterable[Person], *, first: bool) -> None:
        for person in people:
            if first:
                self._later.pop(person, None)
                self._first[person] = None
            elif person not in self._first:
                self._later[person] = None
        if self._first or self._later:
            self._something.set()

    async def wait(self) -> None:
        """Until there is somebody."""
        await self._something.wait()

    def take(self, people: int, listeners: int, of: Callable[[Person], Collection[object]]) -> list[Person]:
        """The next ones: at most so many, and so many that no more than `listeners` (of the last one, maybe, more) have
        to be written to. Who is hinted at meanwhile waits for no more than these."""
        taken: list[Person] = []
        while (self._first or self._later) and len(taken) < people and listeners > 0:
            hinted = self._first or self._later
            taken.append(person := next(iter(hinted)))
            del hinted[person]
            listeners -= len(of(person))
        if not self._first and not self._later:
            self._something.clear()
        return taken
