"""Who changes somebody's preferences does so alone: each change is of the whole, and goes by what is there."""

from typing import Final
from uuid import UUID

from contracts import topics
from services.gateway.http.desk import Desk
from services.gateway.http.ids import new_id
from services.gateway.http.problems import unavailable
from services.gateway.store import editions

TOPIC: Final = topics.PREFERENCES


class Turns:
    """By the key of the object `categories`; also between gateways. One that is not given back ends by itself after
    15 s: what was perhaps published and is not seen yet must not be overwritten."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def take(self, key: str) -> UUID:
        """Waits for it. Raises Problem 503."""
        turn = new_id()
        if not await self._desk.until(lambda: self._has(turn, key)):
            raise unavailable("the list of preferences")
        return turn

    async def give_back(self, turn: UUID, key: str) -> None:
        """What was changed is seen here, or nothing was."""
        async with self._desk.front.connection() as connection:
            await editions.give_back(connection, turn, TOPIC.name, key)

    async def _has(self, turn: UUID, key: str) -> bool | None:
        async with self._desk.front.connection() as connection:
            return await editions.take_first(connection, TOPIC.name, key, whose=turn) or None
