"""Schemas, roles and their SQL files: made once, in order, by whoever comes first."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from kit.postgres import half_restored
from kit.postgres.database import Connection
from kit.postgres.not_migrated import NotMigrated

Migrations = Mapping[str, Sequence[Path]]
"""The folders of numbered SQL files of each schema, in the order in which they are applied."""

Told = Callable[[str, int, int], None]
"""Hears what is done now, how many files were applied before it, and of how many."""

CLOCK: Final = "tocsin"
"""The schema of what all services share: clock(), which every role may read and none may move, and the pace that all of
them keep together."""

_ROOT: Final = Path(__file__).parents[2]
_LOCK: Final = 0x70C5_1412
_PATIENCE_MS: Final = 120_000


def all_schemas() -> Migrations:
    """The schemas of all services. A kit that keeps state brings its own folder into each schema that uses it."""
    control, claims, services = _ROOT / "kit" / "control", _ROOT / "kit" / "delivery", _ROOT / "services"
    restored = _ROOT / "kit" / "restored"
    rooms = {
        "intake": [control, restored, services / "intake"],
        "scheduler": [control, restored, services / "scheduler"],
        "email_sender": [control, claims, services / "email_sender"],
        "sms_sender": [control, claims, services / "sms_sender"],
        "gateway": [control, services / "gateway"],
    }
    return {schema: [room / "migrations" for room in folders] for schema, folders in rooms.items()}


def role_of(schema: str) -> str:
    """The role that a service's pool takes: it may use this one schema, and no other."""
    return f"tocsin_{schema}"


async def migrate(
    url: str, schemas: Migrations, told: Told = lambda what, done, total: None, *, restoring: bool = False
) -> list[str]:
    """Bring the database of the owner's `url` up to date; the names of the files applied now ("intake/0001_rows.sql").

    Safe to run twice and side by side. `restoring`: it is a step of a restore. Raises HalfRestored where one has begun
    and it is not, NotMigrated when a file that was applied has been edited since, and asyncpg.LockNotAvailableError
    where others hold what it needs for two minutes: what was applied by then stays.
    """
    connection = await asyncpg.connect(url, timeout=10, server_settings=_PATIENT)
    try:
        if not await connection.fetchval("select pg_try_advisory_lock($1)", _LOCK):
            told("another migration is at work", 0, len(await behind(connection, schemas)))
            await connection.execute("select pg_advisory_lock($1)", _LOCK)
        if not restoring and await connection.fetchval(f"select {half_restored.THERE}"):
            raise half_restored.HalfRestored
        applied = _Applied(told, len(await behind(connection, schemas)))
        await _Schema(connection, CLOCK, [Path(__file__).parent / "migrations"]).bring_up_to_date(applied)
        for schema, folders in schemas.items():
            await _ensure_role(connection, role_of(schema))
            await _Schema(connection, schema, folders, role_of(schema)).bring_up_to_date(applied)
    finally:
        await connection.close(timeout=10)
    return applied.names


async def behind(connection: Connection, schemas: Migrations) -> list[str]:
    """What `migrate` would have to do here, and does not: names like "intake/0001_rows.sql". It changes nothing."""
    rooms = {CLOCK: [Path(__file__).parent / "migrations"]} | dict(schemas)
    waiting: list[str] = []
    for schema, folders in rooms.items():
        known = await connection.fetchval("select to_regclass($1) is not null", f"{schema}.migrations")
        rows = await connection.fetch(f"select name from {schema}.migrations") if known else []
        applied = {row["name"] for row in rows}
        waiting += [f"{schema}: {file.name}" for file in _files(folders) if file.name not in applied]
    return waiting


_PATIENT: Final = {
    "application_name": "tocsin migrate",
    "lock_timeout": str(_PATIENCE_MS),
    "client_min_messages": "warning",
}


@dataclass(frozen=True, slots=True)
class _File:
    """One step. The name carries its room, so that a kit's 0001 and a service's 0001 are two."""

    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def _files(folders: Sequence[Path]) -> list[_File]:
    """The numbered SQL files in order; a folder that is absent has none (an image holds one service only)."""
    found = [path for folder in folders if folder.is_dir() for path in sorted(folder.glob("[0-9]*.sql"))]
    return [_File(f"{path.parent.parent.name}/{path.name}", path.read_text(encoding="utf-8")) for path in found]


@dataclass(slots=True)
class _Applied:
    """What was applied in this run, told before and after each."""

    told: Told
    total: int
    names: list[str] = field(default_factory=list)

    def begin(self, name: str) -> None:
        self.told(name, len(self.names), self.total)

    def finish(self, name: str) -> None:
        self.names.append(name)
        self.told(name, len(self.names), self.total)


@dataclass(frozen=True, slots=True)
class _Schema:
    """One schema on its way to the present. `role` None: the schema that every role reads."""

    connection: Connection
    name: str
    folders: Sequence[Path]
    role: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", self.name):
            raise NotMigrated(f"“{self.name}” cannot name a schema: use small letters, digits and _")

    async def bring_up_to_date(self, applied: _Applied) -> None:
        await self.connection.execute(f"create schema if not exists {self.name}")
        # Before the grants, so that no role can rewrite its own history.
        await self.connection.execute(_BOOK.format(schema=self.name))
        await self._grant()
        rows = await self.connection.fetch(f"select name, sha256 from {self.name}.migrations")
        known = {row["name"]: row["sha256"] for row in rows}
        for file in _files(self.folders):
            if self._is_new(file, known.get(file.name)):
                applied.begin(file.name)
                await self._apply(file)
                applied.finish(file.name)

    def _is_new(self, file: _File, known: str | None) -> bool:
        if known not in (None, file.sha256):
            raise NotMigrated(
                f"{file.name} was edited after it had been applied to schema {self.name}: "
                "restore it, and write the change as a file with the next number"
            )
        return known is None

    async def _apply(self, file: _File) -> None:
        async with self.connection.transaction():
            await self.connection.execute(f"set local search_path to {self.name}, {CLOCK}")
            await self.connection.execute(file.sql)
            await self.connection.execute(
                f"insert into {self.name}.migrations (name, sha256) values ($1, $2)", file.name, file.sha256
            )

    async def _grant(self) -> None:
        """By default privileges: what a file makes, the role may use at once, without a word in the file."""
        await _repeated(self.connection, (_GRANTS if self.role else _SHARED).format(schema=self.name, role=self.role))


async def _ensure_role(connection: Connection, role: str) -> None:
    """The role exists and the owner may take it.

    Roles belong to the whole server, the advisory lock to one database: another database's migration may be making
    the same role at this moment, so that "it exists" is success too.
    """
    await _repeated(connection, _ROLE.format(role=role))


async def _repeated(connection: Connection, statement: str) -> None:
    """Two databases that grant on one role at once: the second is told "tuple concurrently updated" (XX000)."""
    await _until_done(lambda: connection.execute(statement))


async def _until_done(act: Callable[[], Awaitable[object]], tries: int = 20) -> None:
    for attempt in range(1, tries + 1):
        try:
            await act()
            return
        except asyncpg.InternalServerError:
            if attempt == tries:
                raise
        await asyncio.sleep(0.02 * attempt)


_BOOK: Final = """
create table if not exists {schema}.migrations (
    name text primary key,
    sha256 text not null,
    applied_at timestamptz not null default clock_timestamp()
)
"""

_ROLE: Final = """
do $$
begin
    if not exists (select from pg_roles where rolname = '{role}') then
        create role {role} nologin;
    end if;
exception when duplicate_object or unique_violation then
    null;
end $$;
do $$
begin
    if not pg_has_role(current_user, '{role}', 'set') then
        grant {role} to current_user;
    end if;
end $$;
"""

_GRANTS: Final = """
grant usage on schema {schema}, tocsin to {role};
grant select on tocsin.clock_offset to {role};
alter default privileges in schema {schema} grant select, insert, update, delete, truncate on tables to {role};
alter default privileges in schema {schema} grant usage, select, update on sequences to {role};
alter default privileges in schema {schema} grant execute on routines to {role};
"""

_SHARED: Final = "revoke all on schema {schema} from public"
