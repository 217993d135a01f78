"""Forgetting somebody looks through whole tables: rare, and allowed to take long."""

from typing import Any, Final

from kit.postgres import Connection, Database

SECONDS: Final = 600.0

ADDRESSES: Final = r"[^\s<>(),;:\"'']+@[^\s<>(),;:\"'']+|\+[0-9]{7,15}"
"""A regular expression of PostgreSQL (in quotes) for what may be an address in a text for people."""


def hash_of(text: str) -> str:
    """SQL for the hash of an address, as `contracts.erasure` makes it; `text` is SQL."""
    return f"encode(sha256(convert_to(lower(btrim({text})), 'UTF8')), 'hex')"


def names_one_of(text: str, hashes: str) -> str:
    """SQL that is true where a text for people holds an address of one of these hashes; both are SQL."""
    found = f"regexp_matches({text}, '{ADDRESSES}', 'g') as found(words)"
    return f"exists (select from {found} where {hash_of('found.words[1]')} = any({hashes}))"


async def erase(database: Database, statement: str, *values: Any) -> int:
    """Runs one statement that changes rows, in a transaction of its own; how many they were."""
    async with database.transaction() as connection:
        await unhurried(connection)
        status = await connection.execute(statement, *values, timeout=SECONDS)
    return int(status.rpartition(" ")[2])


async def unhurried(connection: Connection) -> None:
    """For the rest of this transaction a statement may take long; asyncpg is told with `timeout=SECONDS`."""
    await connection.execute(f"set local statement_timeout = {int(SECONDS * 1000)}")
