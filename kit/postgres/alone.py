"""Only one process at a time, wherever it runs: an advisory lock of PostgreSQL, which ends with whoever holds it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from kit.clock import monotonic
from kit.postgres.database import Database

LOOK_AGAIN: Final = 0.2


@asynccontextmanager
async def alone(database: Database, what: str, patience: float = 0.0) -> AsyncIterator[bool]:
    """Whether we are the only one that does `what` in this schema, for as long as the block takes; it is waited for so
    many seconds. Holds a connection of the pool meanwhile."""
    async with database.connection() as connection:
        deadline = monotonic() + patience
        while not (ours := await connection.fetchval(f"select pg_try_advisory_lock({_KEY})", what)):
            if monotonic() >= deadline:
                break
            await asyncio.sleep(LOOK_AGAIN)
        try:
            yield bool(ours)
        finally:
            if ours and not connection.is_closed():
                await connection.execute(f"select pg_advisory_unlock({_KEY})", what)


_KEY: Final = "hashtextextended(current_schema() || '/' || $1, 0)"
