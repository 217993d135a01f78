"""Whose streams went on, in the order in which they are looked at."""

import asyncio
from collections.abc import Callable, Collection

from services.gateway.store.inbox import Person

Heard = dict[Person, int | None]
"""Whose streams went on, and up to which offset; None: nobody has said."""


class Hints:
    """A person is in here once. What people have done themselves, and wait for, comes before what was sent to many."""

    def __init__(self) -> None:
        self._first: Heard = {}
        self._later: Heard = {}
        self._something = asyncio.Event()

    def add(self, heard: Heard, *, first: bool) -> None:
        for person, upto in heard.items():
            if first or person in self._first:
                upto = farther(upto, self._later.pop(person, 0))
                self._first[person] = farther(upto, self._first.get(person, 0))
            else:
                self._later[person] = farther(upto, self._later.get(person, 0))
        if self._first or self._later:
            self._something.set()

    async def wait(self) -> None:
        """Until there is somebody."""
        await self._something.wait()

    def take(self, people: int, listeners: int, of: Callable[[Person], Collection[object]]) -> Heard:
        """The next ones: at most so many, and so many that no more than `listeners` (of the last one, maybe, more) have
        to be written to. Who is hinted at meanwhile waits for no more than these."""
        taken: Heard = {}
        while (self._first or self._later) and len(taken) < people and listeners > 0:
            hinted = self._first or self._later
            person = next(iter(hinted))
            taken[person] = hinted.pop(person)
            listeners -= len(of(person))
        if not self._first and not self._later:
            self._something.clear()
        return taken


def farther(one: int | None, other: int | None) -> int | None:
    """The higher offset; who knows of none may have heard of any."""
    return None if one is None or other is None else max(one, other)
