"""`tocsin backup` and `tocsin restore`: the database, and where everybody was on Kafka at that moment (P9)."""

from __future__ import annotations

import asyncio
import json as text
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar

import asyncpg
import typer

from cli.database import reached
from cli.kafka_said import kafka_said
from cli.output import Json, Progress, emit
from cli.place import root
from contracts.status import Channel
from contracts.topics import BY_NAME, FAILED, INTAKE_OUTCOMES, RETRY, SENDER_OF, SENT
from deploy.local import dumping
from deploy.local.trouble import Trouble
from kit.bus.positions import Positions, ends, look, read_from, set_back
from kit.bus.record import Partition
from kit.clock import utc_now
from kit.delivery.restoring import Heard, rebuild
from kit.postgres import Database, all_schemas, half_restored, migrate
from kit.restored import store as catching_up
from kit.restored.rules import WAITS_FOR, marks
from kit.settings import KafkaSettings, Settings, load

DUMP: Final = "database.dump"
POSITIONS: Final = "positions.json"
NEXT: Final = (
    "Start the services. Nothing that waits for its time is fired before intake and the scheduler have read again what "
    "was moved or cancelled since the backup: `tocsin status` shows who is catching up."
)
SHARED: Final = "tocsin"
PATIENCE: Final = 15.0
HESITATION: Final = 0.5
"""Seconds for which Kafka is asked again, and between two times."""
SENDERS: Final = {Channel.EMAIL: "email_sender", Channel.SMS: "sms_sender"}

T = TypeVar("T")
Read = Callable[[int, int], None]
Folder = Annotated[Path, typer.Argument(help="The folder of the backup.")]
PositionsOnly = Annotated[
    bool, typer.Option("--positions-only", help="Only what is about Kafka: the database is left to your own tools.")
]


def backup(folder: Folder, positions_only: PositionsOnly = False, json: Json = False) -> None:
    """Write the database into a new folder, and how far everybody has come on Kafka; everything goes on meanwhile."""
    settings = load(root(), os.environ)
    with _new(folder), Progress() as progress:
        # First of all: what is read twice after a restore does no harm, what is not read at all would be lost.
        progress.say("the places of all groups")
        positions = asyncio.run(_on_kafka(settings, lambda: look(settings.kafka)))
        told: dict[str, Any] = {
            "taken_at": utc_now().isoformat(),
            "prefix": settings.kafka.topic_prefix,
            "groups": positions.as_json(),
        }
        if not positions_only:
            _dump(settings.database_url, folder / DUMP, progress)
            told["dump_bytes"] = (folder / DUMP).stat().st_size
        # Last of all: without it a folder is no backup.
        (folder / POSITIONS).write_text(text.dumps(told, indent=1))
    size = sum(file.stat().st_size for file in folder.iterdir())
    shown = {"folder": str(folder), "taken_at": told["taken_at"], "bytes": size}
    emit(shown, as_json=json, people=lambda: print(f"{folder}: {size} bytes, as of {told['taken_at']}"))


@contextmanager
def _new(folder: Path) -> Iterator[None]:
    """The folder, which goes again where no backup comes of it. Raises Trouble."""
    try:
        folder.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        raise Trouble(f"{folder} is there already", "name a new folder for each backup") from None
    except OSError as error:
        raise Trouble(f"{folder} cannot be made ({error.strerror})", "name a folder where you may write") from None
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _dump(url: str, file: Path, progress: Progress) -> None:
    schemas = [SHARED, *all_schemas()]
    with reached(url):
        tables = asyncio.run(_tables(url, schemas))
    dumping.dump(url, schemas, file, _shown(progress, tables))
    progress.progress("the database", tables, tables)


def _shown(progress: Progress, total: int) -> dumping.Heard:
    return lambda what, done: progress.progress("the database", done, total, what)


async def _tables(url: str, schemas: Sequence[str]) -> int:
    async with _owner(url) as owner:
        n: int = await owner.fetchval("select count(*) from pg_tables where schemaname = any($1)", schemas)
    return n


@asynccontextmanager
async def _owner(url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection of the database's owner."""
    owner = await asyncpg.connect(url)
    try:
        yield owner
    finally:
        await owner.close()


def restore(
    folder: Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Replace what is in the database now.")] = False,
    positions_only: PositionsOnly = False,
    json: Json = False,
) -> None:
    """Put a backup in the place of what is in the database, and go on from there. All services must be stopped."""
    settings = load(root(), os.environ)
    positions, dump_bytes = _told(folder, settings.kafka)
    dump = None if positions_only else Dump.checked(folder / DUMP, dump_bytes)
    if not yes:
        raise Trouble("this replaces everything that is in the database", "say --yes when that is what you want")
    with reached(settings.database_url):
        told = asyncio.run(_restore(settings, dump, positions))
    words = f"{told['results']} results were rebuilt from Kafka, of {told['unknown']} tries nobody knows the outcome."
    emit(told, as_json=json, people=lambda: print(f"Restored. {words} {NEXT}"))


@dataclass(frozen=True, slots=True)
class Dump:
    """One that is whole, as far as can be seen before anything is replaced by it."""

    file: Path
    entries: int

    @classmethod
    def checked(cls, file: Path, size: int | None) -> Self:
        """`size`: in bytes, when it was written; None: nobody noted it. Raises Trouble."""
        if not file.exists():
            raise Trouble(
                f"{file.parent} holds no {DUMP}, only how far all were on Kafka",
                "name a backup that has one, or say --positions-only once tools of your own have restored the database",
            )
        if size not in (None, there := file.stat().st_size):
            raise Trouble(f"{file} has {there} bytes, and had {size} when it was written", "copy it again, whole")
        return cls(file, dumping.entries(file))


def _told(folder: Path, kafka: KafkaSettings) -> tuple[Positions, int | None]:
    """The positions, and how large the dump was made. Raises Trouble."""
    try:
        told = text.loads((folder / POSITIONS).read_text())
        found, prefix, size = Positions.read(told["groups"]), told["prefix"], told.get("dump_bytes")
    except FileNotFoundError:
        raise Trouble(f"{folder} is no backup: it holds no {POSITIONS}", "name the folder that was given") from None
    except (ValueError, KeyError, TypeError) as error:
        raise Trouble(f"{folder / POSITIONS} cannot be read: {error!r}", "take another backup") from None
    if prefix != kafka.topic_prefix:
        raise Trouble(f"the backup is of topics that begin with '{prefix}'", "set KAFKA_TOPIC_PREFIX to that")
    return found, size


async def _restore(settings: Settings, dump: Dump | None, positions: Positions) -> dict[str, Any]:
    """The groups are set back last: until that is done, the services must not start, and it can be done again."""
    with Progress() as progress:
        return await _put_back(settings, dump, positions, progress)


async def _put_back(settings: Settings, dump: Dump | None, positions: Positions, progress: Progress) -> dict[str, Any]:
    await _check_stopped(settings.database_url)
    there = await _on_kafka(settings, lambda: ends(settings.kafka))
    async with _owner(settings.database_url) as owner:
        await half_restored.begin(owner)
    if dump:
        await _replace(settings.database_url, dump, progress)
    await _brought_up(settings.database_url)
    await _hold_back(settings.database_url, there, positions)
    told = {"results": 0, "unknown": 0}
    for channel, schema in SENDERS.items():
        words = f"what Kafka heard of the {schema}"
        progress.say(words)
        results, unknown = await _rebuild(settings, channel, positions, there, partial(progress.progress, words))
        told = {"results": told["results"] + results, "unknown": told["unknown"] + unknown}
    progress.say("the places of all groups")
    await _on_kafka(settings, lambda: set_back(settings.kafka, positions, there))
    async with _owner(settings.database_url) as owner:
        await half_restored.end(owner)
    return told


async def _check_stopped(url: str) -> None:
    async with _owner(url) as owner:
        there = await owner.fetch(_WHO_IS_THERE)
    if there:
        names = ", ".join(row["application_name"] for row in there)
        raise Trouble(f"services are at work in this database: {names}", "stop all of them, on every machine")


_WHO_IS_THERE: Final = """
select distinct application_name from pg_stat_activity
where datname = current_database() and application_name like 'tocsin.%' order by 1
"""


async def _replace(url: str, dump: Dump, progress: Progress) -> None:
    """Roles are no part of a dump: migrations make them."""
    await migrate(url, all_schemas(), restoring=True)
    async with _owner(url) as owner:
        for schema in (*all_schemas(), SHARED):
            await owner.execute(f"drop schema if exists {schema} cascade")
    await asyncio.to_thread(dumping.restore, url, dump.file, _shown(progress, dump.entries))
    progress.progress("the database", dump.entries, dump.entries)


async def _brought_up(url: str) -> None:
    await migrate(url, all_schemas(), restoring=True)
    async with _owner(url) as owner:
        # Offsets of streams that were given out since the backup are given out anew: they mean something else now.
        await owner.execute("update gateway.stream_epoch set epoch = gen_random_uuid()")


async def _hold_back(url: str, there: Mapping[Partition, int], positions: Positions) -> None:
    """Who acts on time alone waits until all was read again that Kafka holds now: written before anybody can start."""
    now = utc_now()
    async with _owner(url) as owner, owner.transaction():
        for schema, groups in WAITS_FOR.items():
            await catching_up.begin(owner, schema, marks(groups, there, positions.of_groups, now))


async def _rebuild(
    settings: Settings, channel: Channel, positions: Positions, there: Collection[Partition], read: Read
) -> tuple[int, int]:
    heard = await _on_kafka(settings, lambda: _heard(settings.kafka, channel, positions, there, read))
    database = await Database.open(settings.database_url, SENDERS[channel], size=1, restoring=True)
    try:
        return await rebuild(database, heard)
    finally:
        await database.close()


async def _heard(
    kafka: KafkaSettings, channel: Channel, positions: Positions, there: Collection[Partition], read: Read
) -> Heard:
    group, heard = SENDER_OF[channel], Heard()
    offsets: dict[Partition, int] = positions.of(group, group.topics, there)
    offsets |= positions.of(INTAKE_OUTCOMES, (SENT, FAILED, RETRY), there)
    async for record in read_from(kafka, offsets, read):
        heard.hear_record(record, BY_NAME[record.topic], channel)
    return heard


async def _on_kafka(settings: Settings, question: Callable[[], Awaitable[T]]) -> T:
    """Raises Trouble."""
    with kafka_said() as said:
        return await said.patiently(settings, question, PATIENCE, HESITATION)
