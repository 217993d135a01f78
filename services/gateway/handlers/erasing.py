"""Forgetting a person here: what is open is cancelled, and of all of it ids and outcomes stay (P8)."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from contracts.erasure import Forget
from contracts.identity import uuid7
from contracts.status import End
from kit.archive import erasing as archive
from kit.archive.erasing import Erased
from kit.clock import monotonic, unix_ms
from kit.postgres import Database, alone
from services.gateway.handlers import commands
from services.gateway.handlers.cleaning import ARCHIVE, ARCHIVE_PATIENCE, check_shared
from services.gateway.outbox.announcer import Announcer
from services.gateway.rules.projection import CANCELLED
from services.gateway.store import people, webhook_deliveries

AT_ONCE: Final = 500
PATIENCE: Final = 60.0
"""Seconds for intake to answer what it may not have heard of: until then it is needed as it is."""
LOOK_AGAIN: Final = 0.5


class NotAnswered(Exception):
    """Intake has not answered requests of this person: they are blanked at the next try."""


class ArchiveIsBusy(Exception):
    """Somebody else has been writing there for too long: the next try goes on."""


class Erasing:
    """The work of the order `forget`. Done again from the beginning where it was interrupted."""

    def __init__(self, database: Database, announcer: Announcer, archive: Path) -> None:
        """`archive`: the folder of what was cleaned up; who is forgotten is forgotten there, too."""
        self._database = database
        self._announcer = announcer
        self._archive = archive

    async def forget(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What it answers are counts. Raises CannotBeDone, at the end, where another gateway has another archive."""
        who = Forget.model_validate(args)
        async with self._database.transaction() as connection:
            found = await people.notifications_of(connection, who)
            found += await people.parents_of(connection, found)
        places = list(dict.fromkeys(found))
        cancelled = sum([await self._cancel(who, some) for some in _parts(places)])
        await self._until_said(places)
        blanked = sum([await self._blank(some) for some in _parts(places)])
        told = sum([await self._untell(some) for some in _parts(places)])
        entries = await people.blank_inbox(self._database, who)
        archived = await self._erase_archived(who)
        await check_shared(self._database)
        counts = {"cancelled": cancelled, "notifications": blanked, "inbox": entries, "webhooks": told}
        return counts | {"archived": archived.records, "archives": archived.files}

    async def _erase_archived(self, who: Forget) -> Erased:
        """Last of all: what is archived from now on is blank already. Raises ArchiveIsBusy, OSError, ValueError."""
        async with alone(self._database, ARCHIVE, ARCHIVE_PATIENCE) as ours:
            if not ours:
                raise ArchiveIsBusy
            return await asyncio.to_thread(archive.erase, self._archive, who)

    async def _cancel(self, who: Forget, places: Sequence[UUID]) -> int:
        """Through the outbox, like everybody's cancel: also what intake has not read yet ends so."""
        async with self._database.transaction() as connection:
            ids = await people.open_ones(connection, places, CANCELLED)
            kept = [
                one
                for id in ids
                for one in await commands.cancel(connection, who.tenant, id, _command(), End.FORGOTTEN.value)
            ]
        self._announcer.say_all(kept)
        return len(kept)

    async def _until_said(self, places: Sequence[UUID]) -> None:
        """Raises NotAnswered."""
        deadline = monotonic() + PATIENCE
        for some in _parts(places):
            while await self._unsaid(some):
                if monotonic() > deadline:
                    raise NotAnswered
                await asyncio.sleep(LOOK_AGAIN)

    async def _unsaid(self, places: Sequence[UUID]) -> bool:
        async with self._database.connection() as connection:
            return await people.are_unsaid(connection, places)

    async def _blank(self, places: Sequence[UUID]) -> int:
        async with self._database.transaction() as connection:
            return await people.blank(connection, places)

    async def _untell(self, places: Sequence[UUID]) -> int:
        """What receivers have got they have got; what waits for them, and what is kept of it, is taken away."""
        async with self._database.transaction() as connection:
            return await webhook_deliveries.forget(connection, places)


def _command() -> UUID:
    return uuid7(unix_ms(), os.urandom(10))


def _parts(places: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    return (places[begin : begin + AT_ONCE] for begin in range(0, len(places), AT_ONCE))
