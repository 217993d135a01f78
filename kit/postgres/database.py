"""A service's way into its own schema: a pool that forgets nothing of its limits and heals by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final, Self, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from kit.clock import monotonic
from kit.postgres import half_restored
from kit.postgres.fate import fate, lost
from kit.postgres.not_migrated import NotMigrated

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

PATIENCE: Final = 10.0
"""Seconds that any one step may take: getting a connection, making one, a statement."""
STATEMENT_MS: Final = 9_000
"""The server gives up a little before the client does: then the connection stays usable."""
IDLE_IN_TRANSACTION_MS: Final = 15_000
"""Longer than the 5 s a firing waits for Kafka; a process suspended inside a transaction holds no row longer."""
NO_MORE_SETTINGS: Final[Mapping[str, str]] = {}

_MIGRATE_FIRST: Final = "the database has no schema {schema} for us yet{why}: run `tocsin migrate`"


class Database:
    """The pool of one service: its role, its schema first on the path, a limit on every wait.

    Connections are made when needed, so that a database that is away for a moment (or is restarted) costs errors of
    the fate "connection" until it is back, and nothing else. What a session sets must not outlive its transaction:
    connections go back to the pool without a RESET, which would cost every transaction a round trip.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", longest: float = IDLE_IN_TRANSACTION_MS / 1000) -> None:
        """`longest`: seconds after which the server may have closed a transaction that asked for nothing."""
        self._pool = pool
        self._longest = longest

    @classmethod
    async def open(
        cls,
        url: str,
        schema: str,
        *,
        size: int = 8,
        settings: Mapping[str, str] = NO_MORE_SETTINGS,
        idle_ms: int = IDLE_IN_TRANSACTION_MS,
        restoring: bool = False,
    ) -> Self:
        """The pool for `schema`. A database that is away is waited for later, by whoever asks `alive()`.

        `settings` are PostgreSQL's own, for its sessions, beside those that all have; `restoring`: it is the restore
        itself that works here.
        Raises NotMigrated when no migration has made the schema or its role yet, or a restore has not ended.
        """
        pool = asyncpg.create_pool(
            url,
            min_size=0,
            max_size=size,
            timeout=PATIENCE,
            command_timeout=PATIENCE,
            connection_class=_Plain,
            server_settings=_settings(schema, idle_ms) | dict(settings),
        )
        database = cls(await pool, idle_ms / 1000)
        try:
            await database._greet(schema, restoring)
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Gives the connections back; those that are still busy after a moment are cut."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout=3)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection outside any transaction: each statement is its own."""
        async with self._pool.acquire(timeout=PATIENCE) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection inside a transaction: committed at the end, rolled back by any exception.

        Raises TimeoutError where the connection is lost after so long that the server has closed it for that.
        """
        async with self._pool.acquire(timeout=PATIENCE) as connection:
            with _too_long(self._longest):
                async with _committed(connection):
                    yield connection

    @property
    def usage(self) -> tuple[int, int, int]:
        """How many connections are at work, how many wait for some, and how many there may be."""
        idle = self._pool.get_idle_size()
        return self._pool.get_size() - idle, idle, self._pool.get_max_size()

    async def alive(self) -> bool:
        """Whether `select 1` answers within two seconds."""
        try:
            async with self._pool.acquire(timeout=2) as connection:
                return bool(await connection.fetchval("select 1", timeout=2) == 1)
        except Exception:
            return False

    async def _greet(self, schema: str, restoring: bool) -> None:
        try:
            async with self.connection() as connection:
                found = f"select to_regclass($1) is not null, {half_restored.THERE}"
                there, half = await connection.fetchrow(found, f"{schema}.migrations") or (False, False)
        except (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError) as error:
            raise NotMigrated(_MIGRATE_FIRST.format(schema=schema, why=f" ({error})")) from error
        except Exception as error:
            if fate(error) != "connection":
                raise
        else:
            if half and not restoring:
                raise half_restored.HalfRestored
            if not there:
                raise NotMigrated(_MIGRATE_FIRST.format(schema=schema, why=""))


class _Plain(asyncpg.Connection):
    """asyncpg's connection without the RESET at its return (an open transaction is still rolled back)."""

    def get_reset_query(self) -> str:
        return ""


@asynccontextmanager
async def _committed(connection: Connection) -> AsyncIterator[None]:
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    except BaseException:
        # What broke the transaction is the news, not that a lost connection cannot be rolled back.
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await transaction.rollback()
        raise
    await transaction.commit()


@contextmanager
def _too_long(longest: float) -> Iterator[None]:
    """asyncpg drops what the server says to a connection that asks for nothing (25P03): only the time tells it."""
    begun = monotonic()
    try:
        yield
    except Exception as error:
        if lost(error) and monotonic() - begun >= longest:
            raise TimeoutError(f"the transaction took too long, its connection is lost: {error!r}") from error
        raise


def _settings(schema: str, idle_ms: int) -> dict[str, str]:
    return {
        "application_name": f"tocsin.{schema}",
        "role": f"tocsin_{schema}",
        "search_path": f"{schema},tocsin",
        "statement_timeout": str(STATEMENT_MS),
        "idle_in_transaction_session_timeout": str(idle_ms),
        "jit": "off",
    }
