"""Every service has its own schema and cannot look into another's; the pool heals; errors have fates."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from asyncpg.exceptions import _base

from deploy.local.postgres import Postgres
from kit.postgres import Database, NotMigrated, all_schemas, fate, half_restored, migrate
from kit.postgres.migrating import _LOCK
from tests.kit.bus.support import until_true
from tests.servers import other_database
from tests.waiting import PATIENCE


@pytest.fixture
async def empty(postgres_url: str) -> AsyncIterator[str]:
    """The owner's URL of a database in which nothing has been migrated."""
    async with _new_database(postgres_url) as url:
        yield url


@asynccontextmanager
async def _new_database(owner: str) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(owner)
    try:
        await connection.execute(f"create database {name}")
        yield other_database(owner, name)
        await connection.execute(f"drop database {name} with (force)")
    finally:
        await connection.close()


@pytest.fixture
def rooms(folder: Path) -> dict[str, list[Path]]:
    """Two schemas, each with a table `secrets`; names no installation has."""
    return {schema: [_room(folder, schema)] for schema in ("test_left", "test_right")}


def _room(folder: Path, schema: str) -> Path:
    migrations = folder / schema / "migrations"
    migrations.mkdir(parents=True)
    (migrations / "0001_secrets.sql").write_text("create table secrets (id bigserial primary key, word text);")
    return migrations


async def test_a_role_uses_its_own_schema(empty: str, rooms: dict[str, list[Path]]) -> None:
    """What a migration makes is the role's to use, without a word of granting in the file."""
    assert await migrate(empty, rooms) == [
        "postgres/0001_clock.sql",
        "postgres/0002_paces.sql",
        "test_left/0001_secrets.sql",
        "test_right/0001_secrets.sql",
    ]
    async with _opened(empty, "test_left") as left, left.transaction() as connection:
        assert await connection.fetchval("select current_user") == "tocsin_test_left"
        assert await connection.fetchval("insert into secrets (word) values ('a') returning id") == 1
        assert await connection.fetchval("select clock() - statement_timestamp()") == timedelta()


async def test_a_role_cannot_look_into_another_schema(empty: str, rooms: dict[str, list[Path]]) -> None:
    """Services share a server, never a table."""
    await migrate(empty, rooms)
    async with _opened(empty, "test_left") as left, left.connection() as connection:
        for forbidden in (
            "select * from test_right.secrets",
            "delete from test_left.migrations",
            "create table mine (id int)",
            "update tocsin.clock_offset set by = '1 hour'",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(forbidden)


async def test_a_file_is_applied_once(empty: str, rooms: dict[str, list[Path]]) -> None:
    """The second time only what is new is applied."""
    await migrate(empty, rooms)
    assert await migrate(empty, rooms) == []
    (rooms["test_left"][0] / "0002_more.sql").write_text("alter table secrets add column n int;")
    assert await migrate(empty, rooms) == ["test_left/0002_more.sql"]


async def test_who_watches_is_told_what_is_applied(empty: str, rooms: dict[str, list[Path]]) -> None:
    """Each file before it and after it; nothing where nothing is to be done."""
    told: list[tuple[str, int, int]] = []
    applied = await migrate(empty, rooms, lambda *what: told.append(what))
    assert told == [(name, n + after, 4) for n, name in enumerate(applied) for after in (0, 1)]
    told.clear()
    assert await migrate(empty, rooms, lambda *what: told.append(what)) == [] == told


async def test_who_waits_for_another_migration_is_told(empty: str, rooms: dict[str, list[Path]]) -> None:
    owner = await asyncpg.connect(empty)
    await owner.execute("select pg_advisory_lock($1)", _LOCK)
    waits = asyncio.Event()

    def hear(what: str, done: int, total: int) -> None:
        if what == "another migration is at work" and (done, total) == (0, 4):
            waits.set()

    second = asyncio.create_task(migrate(empty, rooms, hear))
    await asyncio.wait_for(waits.wait(), PATIENCE)
    await owner.close()
    assert len(await asyncio.wait_for(second, PATIENCE)) == 4


async def test_an_edited_file_is_refused(empty: str, rooms: dict[str, list[Path]]) -> None:
    """History is not rewritten: the error names the file and what to do instead."""
    await migrate(empty, rooms)
    (rooms["test_left"][0] / "0001_secrets.sql").write_text("create table secrets (id int);")
    with pytest.raises(NotMigrated, match=r"test_left/0001_secrets.sql was edited .* next number"):
        await migrate(empty, rooms)


async def test_a_broken_file_leaves_nothing_behind(empty: str, rooms: dict[str, list[Path]]) -> None:
    """A file is applied whole or not at all."""
    broken = rooms["test_left"][0] / "0002_broken.sql"
    broken.write_text("create table half (id int); select 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty, rooms)
    broken.write_text("create table half (id int);")
    assert "test_left/0002_broken.sql" in await migrate(empty, rooms)


async def test_two_migrations_of_one_database_side_by_side(empty: str, rooms: dict[str, list[Path]]) -> None:
    """One applies, the other finds everything there."""
    applied = await asyncio.gather(*(migrate(empty, rooms) for _ in range(4)))
    assert sorted(map(len, applied)) == [0, 0, 0, 4]


async def test_two_databases_of_one_server_side_by_side(postgres_url: str, folder: Path) -> None:
    """Roles belong to the server: that another database makes the same one at this moment is no error."""
    schema = f"race_{uuid.uuid4().hex[:8]}"
    rooms = {schema: [_room(folder, schema)]}
    async with _new_database(postgres_url) as one, _new_database(postgres_url) as two:
        applied = await asyncio.gather(migrate(one, rooms), migrate(two, rooms))
        assert list(map(len, applied)) == [3, 3]
    owner = await asyncpg.connect(postgres_url)
    await owner.execute(f"drop role tocsin_{schema}")
    await owner.close()


async def test_an_owner_who_is_no_superuser_can_migrate(postgres_url: str, empty: str, folder: Path) -> None:
    """A managed PostgreSQL gives no superuser: CREATEROLE and the database are enough."""
    owner, schema = (f"{word}_{uuid.uuid4().hex[:8]}" for word in ("owner", "managed"))
    server, inside = await asyncpg.connect(postgres_url), await asyncpg.connect(empty)
    await server.execute(f"create role {owner} login createrole")
    await inside.execute(f"grant create on database {empty.partition('?')[0].rpartition('/')[2]} to {owner}")
    url = empty.replace("postgres@", f"{owner}@", 1)
    try:
        assert len(await migrate(url, {schema: [_room(folder, schema)]})) == 3
        async with _opened(url, schema) as database, database.connection() as connection:
            assert await connection.fetchval("select count(*) from secrets") == 0
    finally:
        await inside.execute(f"drop owned by {owner} cascade")
        await inside.execute(f"drop role tocsin_{schema}, {owner}")
        await inside.close()
        await server.close()


async def test_the_clock_moves_only_for_tests(empty: str) -> None:
    """clock() is the database's time plus one stored offset."""
    await migrate(empty, {})
    connection = await asyncpg.connect(empty)
    try:
        await connection.execute("update tocsin.clock_offset set by = '-3 hours'")
        ahead = await connection.fetchval("select tocsin.clock() - statement_timestamp()")
        assert ahead == timedelta(hours=-3)
    finally:
        await connection.close()


async def test_the_schemas_of_all_services_migrate(empty: str) -> None:
    """What the installation really has can be made from nothing."""
    assert "scheduler/0001_timers.sql" in await migrate(empty, all_schemas())
    assert await migrate(empty, all_schemas()) == []
    for schema in all_schemas():
        async with _opened(empty, schema) as database:
            await until_true(database.alive)


async def test_a_schema_that_was_never_made_is_named(empty: str) -> None:
    """The error says what to run."""
    with pytest.raises(NotMigrated, match="tocsin migrate"):
        await Database.open(empty, "nobody")


async def test_the_pool_has_limits(empty: str, rooms: dict[str, list[Path]]) -> None:
    """No statement and no forgotten transaction may wait for ever; they come back to the pool as they left it."""
    await migrate(empty, rooms)
    async with _opened(empty, "test_left") as database:
        for _ in range(2):
            async with database.connection() as connection:
                shown = [
                    await connection.fetchval(f"show {name}")
                    for name in ("jit", "statement_timeout", "idle_in_transaction_session_timeout", "search_path")
                ]
                assert shown == ["off", "9s", "15s", "test_left,tocsin"]


async def test_a_transaction_rolls_back_with_its_exception(empty: str, rooms: dict[str, list[Path]]) -> None:
    """All or nothing, and the connection is good again afterwards."""
    await migrate(empty, rooms)
    async with _opened(empty, "test_left", size=1) as database:

        async def changes_its_mind() -> None:
            async with database.transaction() as connection:
                await connection.execute("insert into secrets (word) values ('never')")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await changes_its_mind()
        async with database.connection() as connection:
            assert await connection.fetchval("select count(*) from secrets") == 0


async def test_killed_backends_are_replaced(empty: str, rooms: dict[str, list[Path]]) -> None:
    """Whoever holds a connection then gets an error of the fate "connection"; the next one works."""
    await migrate(empty, rooms)
    async with _opened(empty, "test_left", size=2) as database:

        async def loses_its_backend() -> None:
            async with database.transaction() as connection:
                await connection.execute("insert into secrets (word) values ('lost')")
                await _kill_backends(empty, "tocsin.test_left")
                await connection.execute("select 1")

        with pytest.raises(Exception) as caught:  # asyncpg has four ways to say it
            await loses_its_backend()
        assert fate(caught.value) == "connection"
        await until_true(database.alive)
        async with database.connection() as connection:
            assert await connection.fetchval("select count(*) from secrets") == 0


async def test_the_pool_heals_after_a_crash_of_the_server(own_postgres: Postgres, rooms: dict[str, list[Path]]) -> None:
    """kill -9 of PostgreSQL: not alive while it is away, then alive again, with the same pool."""
    await migrate(own_postgres.address, rooms)
    async with _opened(own_postgres.address, "test_left") as database:
        async with database.connection() as connection:
            await connection.execute("insert into secrets (word) values ('kept')")
        await asyncio.to_thread(own_postgres.kill)
        assert not await database.alive()
        await asyncio.to_thread(own_postgres.start)
        await until_true(database.alive)
        async with database.connection() as connection:
            assert await connection.fetchval("select word from secrets") == "kept"


async def test_a_pool_may_open_before_its_server_is_there(own_postgres: Postgres, rooms: dict[str, list[Path]]) -> None:
    """A service that starts first waits; it does not fall over."""
    await migrate(own_postgres.address, rooms)
    await asyncio.to_thread(own_postgres.kill)
    async with _opened(own_postgres.address, "test_left") as database:
        assert not await database.alive()
        await asyncio.to_thread(own_postgres.start)
        await until_true(database.alive)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (asyncpg.CardinalityViolationError(""), "data"),
        (asyncpg.CharacterNotInRepertoireError(""), "data"),
        (asyncpg.InvalidTextRepresentationError(""), "data"),
        (asyncpg.NotNullViolationError(""), "data"),
        (asyncpg.UniqueViolationError(""), "data"),
        (asyncpg.ProgramLimitExceededError(""), "data"),
        (_base.DataError("invalid input for query argument $1"), "data"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), "data"),
        (asyncpg.ConnectionDoesNotExistError(""), "connection"),
        (asyncpg.CannotConnectNowError(""), "connection"),
        (asyncpg.AdminShutdownError(""), "connection"),
        (asyncpg.TooManyConnectionsError(""), "connection"),
        (asyncpg.DiskFullError(""), "connection"),
        (asyncpg.SerializationError(""), "connection"),
        (asyncpg.DeadlockDetectedError(""), "connection"),
        (asyncpg.LockNotAvailableError(""), "connection"),
        (asyncpg.QueryCanceledError(""), "connection"),
        (asyncpg.ReadOnlySQLTransactionError(""), "connection"),
        (asyncpg.IdleInTransactionSessionTimeoutError(""), "connection"),
        (asyncpg.InterfaceError("cannot call commit(): the underlying connection is closed"), "connection"),
        (TimeoutError(), "connection"),
        (ConnectionResetError(), "connection"),
        (EOFError(), "connection"),
        (_base.InternalClientError("cannot switch to state 11; another operation (2) is in progress"), "connection"),
        (asyncpg.UndefinedTableError(""), "other"),
        (asyncpg.InFailedSQLTransactionError(""), "other"),
        (asyncpg.InternalServerError(""), "other"),
        (asyncpg.InterfaceError("the server expects 3 arguments"), "other"),
        (KeyError("a mistake of ours"), "other"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_p7_the_fate_of_a_batch_by_its_error(error: BaseException, expected: str) -> None:
    """The classes of P7: what is the row's fault, what is the connection's, and what must be seen."""
    assert fate(error) == expected


async def test_p7_a_nul_and_a_lone_surrogate_are_the_datas_fault(empty: str, rooms: dict[str, list[Path]]) -> None:
    """Neither fits into a text of PostgreSQL; the one is refused by the server, the other by the client."""
    await migrate(empty, rooms)
    async with _opened(empty, "test_left") as database:
        for text in ("a\x00b", "\ud800"):
            with pytest.raises(Exception) as caught:
                async with database.transaction() as connection:
                    await connection.execute("insert into secrets (word) values ($1)", text)
            assert fate(caught.value) == "data"


@asynccontextmanager
async def _opened(url: str, schema: str, size: int = 4) -> AsyncIterator[Database]:
    database = await Database.open(url, schema, size=size)
    try:
        yield database
    finally:
        await database.close()


async def _kill_backends(url: str, application: str) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1", application
    )
    await owner.close()


async def test_p9_nobody_begins_to_work_on_what_is_half_restored(empty: str, rooms: dict[str, list[Path]]) -> None:
    """Neither a service nor a migration but the restore's own, until that has ended."""
    await migrate(empty, rooms)
    schema = next(iter(rooms))
    owner = await asyncpg.connect(empty)
    await half_restored.begin(owner)
    with pytest.raises(half_restored.HalfRestored, match="say `tocsin restore FOLDER --yes` again"):
        await Database.open(empty, schema)
    with pytest.raises(half_restored.HalfRestored):
        await migrate(empty, rooms)
    await migrate(empty, rooms, restoring=True)
    await half_restored.end(owner)
    await owner.close()
    database = await Database.open(empty, schema)
    await until_true(database.alive)
    await database.close()
