"""What ended so long ago that nothing can repeat it is forgotten: one walk through the table, some pages at a time."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from kit.cleaning import Unhurried
from kit.postgres import Connection, Database
from services.intake.rules.asking import family
from services.intake.store import cleaning

PAGES_AT_ONCE: Final = 256
"""Pages of the table that are looked through in one transaction: some thousand rows, most of which stay."""
KEYS_AT_ONCE: Final = 1000


class Cleaning:
    """Intake's part of `cleanup`. It may be interrupted anywhere: the next run goes through all of it again."""

    def __init__(self, database: Database, remembered: timedelta) -> None:
        """`remembered`: how long after its end a notification is known."""
        self._database = database
        self._remembered = remembered

    async def forget_notifications(self) -> int:
        """How many were forgotten. Nothing is archived here: the gateway archives what people see of each."""
        async with self._database.connection() as connection:
            pages = await cleaning.pages(connection)
        forgotten, rest = 0, Unhurried()
        for first in range(0, pages, PAGES_AT_ONCE):
            async with self._database.transaction() as connection:
                forgotten += await self._forget_some(connection, first)
            await rest.rest()
        return forgotten

    async def _forget_some(self, connection: Connection, first: int) -> int:
        through = first + PAGES_AT_ONCE
        ended = await cleaning.forget_ended(connection, first, through, self._remembered)
        split = await cleaning.split(connection, first, through, self._remembered)
        left = await cleaning.known(connection, [id for parent in split for id in family(parent)])
        alone = [parent for parent in split if left.isdisjoint(family(parent))]
        return ended + await cleaning.forget(connection, alone)

    async def forget_keys(self) -> int:
        """Collapse keys whose newest notification is forgotten; how many."""
        return await self._a_few_at_a_time(cleaning.forget_keys)

    async def forget_group_ends(self) -> int:
        """Cancels of groups that meet nobody any more; how many."""
        return await self._a_few_at_a_time(cleaning.forget_group_ends)

    async def forget_groups(self) -> int:
        """Groups that have neither a cancel nor a member; how many. One walk through all of them."""
        forgotten, after, rest = 0, cleaning.FIRST, Unhurried()
        while after is not None:
            async with self._database.transaction() as connection:
                some, after = await cleaning.forget_groups(connection, after, KEYS_AT_ONCE)
            forgotten += some
            await rest.rest()
        return forgotten

    async def _a_few_at_a_time(self, forget: Callable[[Connection, timedelta, int], Awaitable[int]]) -> int:
        forgotten, some, rest = 0, KEYS_AT_ONCE, Unhurried()
        while some == KEYS_AT_ONCE:
            async with self._database.transaction() as connection:
                some = await forget(connection, self._remembered, KEYS_AT_ONCE)
            forgotten += some
            await rest.rest()
        return forgotten
