"""What is over is archived, then deleted; killed in between, it is archived again and deleted by who comes next."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from kit import logs
from kit.archive.expiring import expire
from kit.archive.writing import append, name_of
from kit.cleaning import Unhurried
from kit.clock import monotonic, utc_now
from kit.control.running import CannotBeDone
from kit.failpoints import failpoint
from kit.metrics import Metrics
from kit.postgres import Connection, Database, alone
from kit.postgres.clocks import clock_timestamp
from kit.settings import CleanupSettings
from services.gateway.rules.cleaning import REMEMBERED, Kept, Over, record, whole
from services.gateway.store import cleaning, operations, reading

ALONE: Final = "cleanup"
ARCHIVE: Final = "archive"
"""Names of two locks: of a whole run, and of whoever changes the archive. A part is read, archived and deleted under
the second one, so that who is forgotten in between is forgotten there, too."""
ARCHIVE_PATIENCE: Final = 600.0

log = logs.get(__name__)


async def check_shared(database: Database) -> None:
    """Raises CannotBeDone where gateways archive to several folders: whoever looks into one does not see the others."""
    async with database.connection() as connection:
        folders = await operations.archives(connection)
    if len(folders) > 1:
        log.error("archive_not_shared", folders=len(folders))
        raise CannotBeDone(_NOT_SHARED.format(len(folders)))


_NOT_SHARED: Final = (
    "gateways archive to {} folders: give all of them one TOCSIN_ARCHIVE_DIR that they share, move the archives there, "
    "and start them again"
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one run may do at most; the next one goes on. Other orders wait for it: an erasure, for example."""

    at_once: int = 500
    """Notifications that are archived and deleted together."""
    notifications: int = 5_000_000
    seconds: float = 2 * 3600.0


@dataclass(slots=True)
class Done:
    """What a run has come to."""

    deleted: int = 0
    archived: int = 0
    entries: int = 0
    archives: int = 0


class Walk(Protocol):
    """Goes on from a place: the next places of a tenant, of what was accepted before some time."""

    def __call__(
        self, connection: Connection, tenant: str, after: UUID, before: datetime, most: int
    ) -> Awaitable[list[UUID]]: ...


class Cleaning:
    """The gateway's part of `cleanup`: notifications with their timelines and entries of the inbox."""

    def __init__(
        self,
        database: Database,
        settings: CleanupSettings,
        folder: Path,
        metrics: Metrics,
        is_busy: Callable[[], bool] = lambda: False,
        bounds: Bounds | None = None,
    ) -> None:
        """`folder`: where the archive is; `is_busy`: others are behind with their work, so that this rather waits."""
        self._database = database
        self._settings = settings
        self._folder = folder
        self._metrics = metrics
        self._is_busy = is_busy
        self._bounds = bounds or Bounds()

    async def clean_up(self) -> dict[str, Any]:
        """One run; what it answers are counts. Raises CannotBeDone where the archive cannot be written: nothing that is
        not archived is deleted."""
        async with alone(self._database, ALONE) as ours:
            if not ours:
                return {"deleted_count": 0, "detail": "another gateway is at it"}
            done, begun = Done(), monotonic()
            await check_shared(self._database)
            try:
                done.archives = await self._expire()
                whole = await self._walk_on(done, begun)
            except OSError as error:
                log.error("archive_not_written", folder=str(self._folder), error=str(error), deleted=done.deleted)
                raise CannotBeDone(_NOT_WRITTEN.format(self._folder, error.strerror, done.deleted)) from error
        return _told(done, whole)

    async def _expire(self) -> int:
        """Archives of how many days went."""
        days = self._settings.delete_archives_after_days
        if not days:
            return 0
        async with alone(self._database, ARCHIVE, ARCHIVE_PATIENCE) as ours:
            before = utc_now().date() - timedelta(days=days)
            gone = await asyncio.to_thread(expire, self._folder, before) if ours else 0
        self._metrics.cleaned("archives", gone)
        return gone

    async def _walk_on(self, done: Done, begun: float) -> bool:
        """Whether it came to the end, and not to its bounds."""
        rest = Unhurried(self._is_busy)
        async for tenant, places, kept in self._parts():
            await self._clean(tenant, places, kept, done)
            if done.deleted >= self._bounds.notifications or monotonic() - begun > self._bounds.seconds:
                return False
            await rest.rest()
        return True

    async def _parts(self) -> AsyncIterator[tuple[str, Sequence[UUID], Kept]]:
        """Places of what may be over: of each tenant first what has failed, then everything."""
        told = self._settings
        async with self._database.connection() as connection:
            now = await clock_timestamp(connection)
            tenants = await cleaning.tenants(connection)
        kept = Kept.at(now, told.delete_sent_after_days, told.delete_failed_after_days)
        walks: tuple[tuple[Walk, datetime], ...] = ((cleaning.failed, kept.failed), (cleaning.oldest, kept.sent))
        for tenant in tenants:
            for walk, before in walks:
                async for places in self._places(walk, tenant, before):
                    yield tenant, places, kept

    async def _places(self, walk: Walk, tenant: str, before: datetime) -> AsyncIterator[Sequence[UUID]]:
        after = cleaning.LOWEST
        while True:
            async with self._database.connection() as connection:
                places = await walk(connection, tenant, after, before, self._bounds.at_once)
            if not places:
                return
            yield places
            after = places[-1]

    async def _clean(self, tenant: str, places: Sequence[UUID], kept: Kept, done: Done) -> None:
        """Reads, archives, deletes; each under no transaction but its own."""
        async with alone(self._database, ARCHIVE, ARCHIVE_PATIENCE) as ours:
            if not ours:
                raise CannotBeDone("somebody else has been writing to the archive for ten minutes")
            heads, overs, records = await self._read(tenant, places, kept)
            if not overs:
                return
            if self._settings.archive_before_delete:
                await asyncio.to_thread(append, self._folder, _name(), records)
                self._count_archived(done, len(records))
            failpoint("cleanup_after_archive")
            await self._delete(heads, overs, done)
            failpoint("cleanup_after_delete")

    async def _read(
        self, tenant: str, places: Sequence[UUID], kept: Kept
    ) -> tuple[Mapping[UUID, UUID], list[Over], list[dict[str, Any]]]:
        """The families of these places, and what is over of them: a family is, or is not, as a whole."""
        async with self._database.connection() as connection:
            heads = await cleaning.families(connection, tenant, places)
            overs = whole(await cleaning.over(connection, tenant, list(heads), kept), heads)
            lines = await reading.timelines(connection, [one.row for one in overs]) if overs else {}
            now = await clock_timestamp(connection)
        records = [record(one, sorted(lines[one.row.place], key=lambda line: line.at), now) for one in overs]
        return heads, overs, records

    async def _delete(self, heads: Mapping[UUID, UUID], overs: Sequence[Over], done: Done) -> None:
        async with self._database.transaction() as connection:
            gone = whole(await cleaning.lock(connection, overs), heads)
            entries = await cleaning.delete_entries(connection, [one.row.id for one in gone])
            await cleaning.delete(connection, gone)
        done.entries += entries
        done.deleted += len(gone)
        self._metrics.cleaned("notifications", len(gone))
        self._metrics.cleaned("inbox", entries)

    def _count_archived(self, done: Done, n: int) -> None:
        done.archived += n
        self._metrics.archived(n)

    async def forget_ids(self) -> int:
        """Ids that intake has forgotten as well; how many."""
        forgotten, some, rest = 0, self._bounds.at_once, Unhurried(self._is_busy)
        while some == self._bounds.at_once:
            async with self._database.connection() as connection:
                some = await cleaning.forget_cleaned(connection, REMEMBERED, self._bounds.at_once)
            forgotten += some
            await rest.rest()
        return forgotten


_NOT_WRITTEN: Final = (
    "the archive {} cannot be written: {}. What is not archived stays; {} were archived and deleted before"
)


def _name() -> str:
    return name_of("gateway", utc_now().date())


def _told(done: Done, whole: bool) -> dict[str, Any]:
    told = {
        "deleted_count": done.deleted,
        "notifications": done.deleted,
        "archived": done.archived,
        "inbox": done.entries,
        "archives": done.archives,
    }
    return told if whole else told | {"detail": "it had been at it for long enough: the next run goes on"}
