"""Does PostgreSQL let us in, is it new enough and up to date, can each service take its role, do the clocks agree?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from cli.doctor.finding import Finding, skipped, trouble, well
from kit.clock import utc_now
from kit.postgres import Connection, all_schemas, behind, role_of
from kit.settings import Settings
from kit.settings.masking import without_password

CHECKS: Final = ("postgresql", "database version", "migrations", "roles", "clock")
PATIENCE: Final = 5.0
OLDEST: Final = 160_000
"""As `server_version_num`: privileges to take a role are asked for and granted as of 16."""
SKEW: Final = timedelta(seconds=2)


async def database(settings: Settings, now: Callable[[], datetime] = utc_now) -> list[Finding]:
    """All of it; without the database, only that."""
    shown = without_password(settings.database_url)
    try:
        connection = await asyncpg.connect(settings.database_url, timeout=PATIENCE, command_timeout=PATIENCE)
    except (OSError, TimeoutError, asyncpg.PostgresError, ValueError) as error:
        told = _away(settings, shown, error)
        return [told, *(skipped(check, "PostgreSQL does not let us in") for check in CHECKS[1:])]
    try:
        version = connection.get_server_version()
        return [
            well("postgresql", f"answers at {shown}"),
            aged(version.major * 10_000, f"{version.major}.{version.minor}"),
            await _migrations(connection),
            *await _roles(connection),
            await _clock(connection, now),
        ]
    finally:
        await connection.close(timeout=PATIENCE)


def _away(settings: Settings, shown: str, error: Exception) -> Finding:
    embedded = "postgresql" in settings.embedded
    match error:
        case asyncpg.InvalidAuthorizationSpecificationError():
            why, remedy = str(error), "look at user and password in DATABASE_URL"
        case asyncpg.InvalidCatalogNameError():
            why, remedy = str(error), "make the database (createdb), or name another one in DATABASE_URL"
        case asyncpg.TooManyConnectionsError():
            why, remedy = str(error), "raise max_connections: the five services take up to a hundred"
        case _:
            started = "`tocsin up` starts it; its log is logs/postgresql.log"
            why, remedy = type(error).__name__, started if embedded else "start it, or set DATABASE_URL to where it is"
    return trouble("postgresql", f"{shown} does not let us in ({why})", remedy)


def aged(number: int, shown: str) -> Finding:
    """`number` as PostgreSQL counts: 180004 is 18.4."""
    if number >= OLDEST:
        return well("database version", f"PostgreSQL {shown}")
    return trouble("database version", f"PostgreSQL {shown} is too old: 16 or newer is needed", "upgrade it")


async def _migrations(connection: Connection) -> Finding:
    waiting = await behind(connection, all_schemas())
    if not waiting:
        return well("migrations", "the database is up to date")
    more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
    return trouble("migrations", f"not applied: {waiting[0]}{more}", "run `tocsin migrate`")


async def _roles(connection: Connection) -> list[Finding]:
    """Each service's role: the owner may take it, it may read its own tables, and no other's."""
    there = [schema for schema in all_schemas() if await connection.fetchval(_THERE, schema, role_of(schema))]
    found = [finding for schema in there async for finding in _role(connection, schema, there)]
    if not there:
        return [skipped("roles", "there are none before `tocsin migrate`")]
    return found or [well("roles", f"each of {len(there)} services has its own, and reads nothing of another's")]


async def _role(connection: Connection, schema: str, schemas: list[str]) -> AsyncIterator[Finding]:
    role = role_of(schema)
    if not await connection.fetchval("select pg_has_role(current_user, $1, 'set')", role):
        yield trouble("roles", f"the user of DATABASE_URL may not take the role {role}", f"grant {role} to that user")
    closed = await connection.fetch(_CLOSED, schema, role)
    if closed:
        yield trouble(
            "roles",
            f"{role} may not use {', '.join(row['what'] for row in closed[:3])}",
            f"run `tocsin migrate` as the owner, or grant it: grant select, insert, update, delete on all tables in "
            f"schema {schema} to {role}",
        )
    others = [other for other in schemas if other != schema]
    open_ = [other for other in others if await connection.fetchval(_USES, role, other)]
    if open_:
        yield trouble(
            "roles",
            f"{role} may look into {', '.join(open_)}, which belongs to another service",
            f"revoke it: revoke all on schema {open_[0]} from {role}",
        )


_THERE: Final = """
select exists (select from pg_namespace where nspname = $1) and exists (select from pg_roles where rolname = $2)
"""
_USES: Final = "select has_schema_privilege($1, $2, 'usage')"
_CLOSED: Final = """
select 'schema ' || $1 as what where not has_schema_privilege($2, $1, 'usage')
union all
select $1 || '.' || relname from pg_class
where relnamespace = $1::text::regnamespace and relkind in ('r', 'p') and relname <> 'migrations'
  and not has_table_privilege($2, oid, 'select')
order by what
"""


async def _clock(connection: Connection, now: Callable[[], datetime]) -> Finding:
    """Planned instants go by the database's clock; what people read beside it, by ours."""
    before = now()
    theirs: datetime = await connection.fetchval("select clock_timestamp()")
    after = now()
    apart = max(before - theirs, theirs - after, timedelta(0))
    if apart > SKEW:
        return trouble(
            "clock",
            f"this machine and PostgreSQL differ by {apart.total_seconds():.0f} s: times are shown and taken wrongly",
            "switch time synchronisation on (timedatectl set-ntp true), on both",
        )
    if await connection.fetchval("select to_regclass('tocsin.clock_offset') is not null"):
        moved: timedelta = await connection.fetchval("select by from tocsin.clock_offset")
        if moved:
            return trouble(
                "clock",
                f"the clock of planned instants is moved by {moved}: only tests do that",
                "update tocsin.clock_offset set by = '0'",
            )
    return well("clock", "this machine and PostgreSQL agree")
