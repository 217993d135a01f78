"""The audit: rows are added, and read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kit.postgres import Connection


@dataclass(frozen=True, slots=True)
class Deed:
    """What an admin did; `status` None: nobody knows how it ended."""

    id: UUID
    who: str
    at: datetime
    method: str
    path: str
    status: int | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What the list is narrowed to; `path` is how the path begins."""

    who: str | None = None
    path: str | None = None
    after: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


async def begin(connection: Connection, id: UUID, tenant: str, who: str, method: str, path: str) -> None:
    """It is about to be done."""
    await connection.execute(
        "insert into audit (id, tenant, who, method, path) values ($1, $2, $3, $4, $5)", id, tenant, who, method, path
    )


async def end(connection: Connection, id: UUID, status: int, detail: str | None) -> None:
    """It was answered like this."""
    await connection.execute("insert into audit_ends (id, status, detail) values ($1, $2, $3)", id, status, detail)


async def page(connection: Connection, tenant: str, by: Narrowed, limit: int) -> list[Deed]:
    """The newest first."""
    rows = await connection.fetch(_PAGE, tenant, by.who, by.path, by.after, by.created_after, by.created_before, limit)
    return [Deed(*row.values()) for row in rows]


_PAGE: Final = """
select id, who, at, method, path, status, detail from audit left join audit_ends using (id)
where tenant = $1 and ($2::text is null or who = $2) and ($3::text is null or starts_with(path, $3))
    and ($4::uuid is null or id < $4) and ($5::timestamptz is null or at >= $5)
    and ($6::timestamptz is null or at < $6)
order by id desc limit $7
"""
