"""Which API keys open something: looked up seldom, believed for seconds, so that a revoked one is soon nobody's."""

import asyncio
from http import HTTPStatus
from typing import Final

from kit.clock import monotonic
from kit.postgres import Database
from services.gateway.http.problems import Problem, unauthorized
from services.gateway.rules import keys
from services.gateway.rules.trust import Caller
from services.gateway.store import keys as store

BELIEVED: Final = 2.0
"""Seconds for which a key that was good stays good, whatever other gateways do meanwhile."""
REFUSED: Final = 60.0
"""Seconds for which one that was not is refused without a look: keys are random, and none becomes good later."""
REMEMBERED: Final = 4096
LOOKS_PER_SECOND: Final = 100
"""Looks for keys that were never good; who tries more of them than that is told to wait."""


class KeyRing:
    """Finds out whose a key is. Many who ask for the same one at once share one look."""

    def __init__(self, database: Database, *, believed: float = BELIEVED) -> None:
        self.looks = 0
        self._database = database
        self._believed = believed
        self._good: dict[bytes, tuple[float, Caller]] = {}
        self._bad: dict[bytes, float] = {}
        self._asking: dict[bytes, asyncio.Task[Caller | None]] = {}
        self._second, self._strangers = 0, 0

    async def caller(self, key: str) -> Caller:
        """The one whom this key names. Raises Problem 401, 429."""
        if not keys.is_one(key):
            raise unauthorized("this is no API key of ours")
        hash = keys.digest(key)
        known = self._good.get(hash)
        if known and known[0] > monotonic():
            return known[1]
        if self._bad.get(hash, 0.0) > monotonic():
            raise _refused()
        found = await self._found(hash, is_known=known is not None)
        if found is None:
            raise _refused()
        return found

    def forget(self, hash: bytes) -> None:
        """It was revoked here: at once nobody's on this gateway."""
        self._good.pop(hash, None)

    async def _found(self, hash: bytes, *, is_known: bool) -> Caller | None:
        task = self._asking.get(hash)
        if task is None:
            if not is_known:
                self._count_stranger()
            task = self._asking[hash] = asyncio.create_task(self._look(hash))
            task.add_done_callback(lambda _: self._asking.pop(hash, None))
        return await asyncio.shield(task)

    async def _look(self, hash: bytes) -> Caller | None:
        self.looks += 1
        asked = monotonic()
        async with self._database.connection() as connection:
            key = await store.in_force(connection, hash)
        for remembered in (self._good, self._bad):
            if len(remembered) >= REMEMBERED:
                remembered.clear()
        if key is None:
            self._good.pop(hash, None)
            self._bad[hash] = asked + REFUSED
            return None
        caller = Caller(
            f"{keys.OWNER}{key.name}",
            key.tenant,
            frozenset({"service"}),
            until=key.expires_at,
            scopes=frozenset(key.scopes),
        )
        self._good[hash] = asked + self._believed, caller
        return caller

    def _count_stranger(self) -> None:
        """Raises Problem 429."""
        now = int(monotonic())
        if now != self._second:
            self._second, self._strangers = now, 0
        self._strangers += 1
        if self._strangers > LOOKS_PER_SECOND:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_unknown_keys",
                "many unknown API keys are being tried: come back in a moment",
                headers={"Retry-After": "1"},
            )


def _refused() -> Problem:
    return unauthorized("this API key is unknown, revoked or expired")
