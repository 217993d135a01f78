"""Each service has a login of its own, over TLS, and what it may do ends where another's tables begin."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from kit.postgres import Database, all_schemas, migrate
from tests.lint.tree import ROOT
from tests.secured.certificates import Authority
from tests.secured.postgres import SecuredPostgres
from tests.servers import Session, blocking

SERVICES = tuple(all_schemas())
PASSWORD = "one of its own"


def lines_to_copy() -> str:
    """The SQL of docs/operations.md, as it stands there."""
    [block] = re.findall(r"```sql\n(alter role.*?)```", (ROOT / "docs/operations.md").read_text(), re.DOTALL)
    return str(block)


@pytest.fixture(scope="module")
def secured(session: Session) -> Iterator[SecuredPostgres]:
    """Migrated by the owner, who then gives each service its login."""
    folder = session.new_folder("secured")
    postgres = session.keep(SecuredPostgres(folder / "postgres", Authority(folder)))
    postgres.start()
    blocking(prepared(postgres))
    yield postgres
    postgres.stop()


async def prepared(postgres: SecuredPostgres) -> None:
    owner = await asyncpg.connect(postgres.address)
    await owner.execute("create database tocsin")
    await owner.close()
    await migrate(postgres.url("tocsin"), all_schemas())
    owner = await asyncpg.connect(postgres.url("tocsin"))
    await owner.execute(lines_to_copy())
    await owner.close()


def own(postgres: SecuredPostgres, service: str) -> str:
    return postgres.private(f"tocsin_{service}", PASSWORD, "tocsin")


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def inside(secured: SecuredPostgres, service: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A session of the service's own login."""
    connection = await asyncpg.connect(own(secured, service))
    yield connection
    await connection.close()


async def test_a_service_works_with_its_own_login_in_private(secured: SecuredPostgres, service: str) -> None:
    database = await Database.open(own(secured, service), service)
    async with database.transaction() as connection:
        assert await connection.fetchval("select session_user || ' ' || current_user") == " ".join(
            [f"tocsin_{service}"] * 2
        )
        assert await connection.fetchval("select tocsin.clock()")
    await database.close()


async def test_it_reads_and_writes_none_of_anothers_tables(
    inside: asyncpg.Connection[asyncpg.Record], service: str
) -> None:
    """Every table of every other service, each in every way."""
    others = await inside.fetch(
        "select schemaname || '.' || tablename as name from pg_tables where schemaname = any($1::text[])",
        [one for one in SERVICES if one != service],
    )
    assert len(others) > 4 * len(SERVICES)
    for table in (str(row["name"]) for row in others):
        for statement in (f"select 1 from {table} limit 1", f"delete from {table}", f"truncate {table}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await inside.execute(statement)


async def test_it_becomes_nobody_else_and_changes_no_rules(
    inside: asyncpg.Connection[asyncpg.Record], service: str
) -> None:
    other = next(one for one in SERVICES if one != service)
    for statement in (
        f"set role tocsin_{other}",
        "set role postgres",
        "set session authorization postgres",
        f"grant tocsin_{other} to tocsin_{service}",
        "create role mine",
        f"create table {service}.mine (id int)",
        "create table public.mine (id int)",
        "create temporary table mine (id int)",
        "create schema mine",
        f"update {service}.migrations set sha256 = ''",
        "update tocsin.clock_offset set by = '1 hour'",
        "select pg_read_file('/etc/passwd')",
        "copy (select 1) to program 'true'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await inside.execute(statement)
    await inside.execute("reset role")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await inside.execute(f"select 1 from {other}.migrations")


@pytest.mark.parametrize(
    ("sslmode", "error"),
    [("disable", asyncpg.ConnectionDoesNotExistError), ("verify-full", asyncpg.InvalidPasswordError)],
)
async def test_who_comes_in_the_open_or_guesses_stays_outside(
    secured: SecuredPostgres, sslmode: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await asyncpg.connect(secured.private("tocsin_intake", "guessed", "tocsin", sslmode))


async def test_a_server_that_another_authority_signed_for_is_not_spoken_with(
    secured: SecuredPostgres, tmp_path: Path
) -> None:
    url = own(secured, "intake").replace(str(secured.authority.ca), str(Authority(tmp_path, "another").ca))
    with pytest.raises(OSError, match="certificate verify failed"):
        await asyncpg.connect(url)
