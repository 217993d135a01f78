"""How often each caller has asked in this minute: counted here, and told to the other gateways every second."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from kit import logs
from kit.postgres import Database
from kit.retry import Window
from kit.service import Loop
from services.gateway.rules.rates import Rate, minute_of, rate
from services.gateway.rules.trust import Caller
from services.gateway.store import calls as store

EVERY: Final = 1.0
"""Seconds between two exchanges: so much later a gateway knows what a caller has asked of another one."""

log = logs.get(__name__)


class Calls(Loop):
    """No request waits for anybody: it is judged by what this gateway has counted and what the others told last.

    Two gateways let a caller through for at most a second longer than one would. While the database is away each
    goes by what it knows. `most` 0: nothing is counted.
    """

    def __init__(self, database: Database, most: int, clock: Callable[[], datetime]) -> None:
        super().__init__(self._exchange_on)
        self.most = most
        self._database = database
        self._clock = clock
        self._me: UUID = uuid4()
        self._minute = minute_of(clock())
        self._here: Counter[str] = Counter()
        self._elsewhere: Mapping[str, int] = {}

    async def start(self) -> None:
        if self.most:
            await super().start()

    def take(self, caller: Caller, calls: int = 1) -> Rate | None:
        """Counts so many calls of his; None where that is more than is left, and then they are not counted."""
        now, name = self._now(), _name(caller)
        used = self._used(name) + calls
        if used > self.most:
            return None
        self._here[name] += calls
        return rate(self.most, used, now)

    def left(self, caller: Caller) -> Rate:
        """What he has left, without counting anything."""
        now = self._now()
        return rate(self.most, self._used(_name(caller)), now)

    def used(self, caller: Caller) -> tuple[int, Window]:
        """How often he has asked in this minute, as far as anybody counted."""
        self._now()
        return self._used(_name(caller)), self._minute

    def _used(self, name: str) -> int:
        return self._here[name] + self._elsewhere.get(name, 0)

    def _now(self) -> datetime:
        now = self._clock()
        if (minute := minute_of(now)) != self._minute:
            self._minute, self._here, self._elsewhere = minute, Counter(), {}
        return now

    async def exchange(self) -> None:
        """Tells what was counted here, hears what was elsewhere. Raises what the database raises."""
        self._now()
        minute = self._minute
        async with self._database.connection() as connection:
            heard = await store.exchange(connection, self._me, minute[0], self._here, self.most)
        if minute == self._minute:
            self._elsewhere = heard

    async def _exchange_on(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.exchange()
            except Exception as error:  # the database may be away: what is known stays known
                log.debug("calls_not_exchanged", error=repr(error))


def _name(caller: Caller) -> str:
    return f"{caller.tenant}/{caller.owner}"
