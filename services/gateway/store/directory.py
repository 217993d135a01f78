"""The projections of the compacted topics: the topics are the truth, these tables what they came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.postgres import Connection
from services.gateway.store.arrays import columns, given


@dataclass(frozen=True, slots=True)
class Version:
    """One state of one object; `value` None is a tombstone."""

    topic: str
    key: str
    tenant: str
    value: str | None
    as_of: datetime
    offset: int
    command: UUID | None


async def apply(connection: Connection, versions: Sequence[Version]) -> set[tuple[str, str]]:
    """Take over what is newer than what is there, by (as_of, offset); one version per key. Sorted: no deadlocks.

    The (topic, key) of those that were newer.
    """
    rows = sorted(
        ((v.topic, v.key, v.tenant, v.value, v.as_of, v.offset, v.command) for v in versions), key=lambda row: row[:2]
    )
    return {(row["topic"], row["key"]) for row in await connection.fetch(_APPLY, *columns(rows, 7))}


_VERSIONS = given(
    topic="text", key="text", tenant="text", value="text", as_of="timestamptz", place="bigint", command="uuid"
)

_APPLY = f"""
insert into directory as d (topic, key, tenant, value, as_of, "offset", command)
select * from {_VERSIONS} g
on conflict (topic, key) do update set
    value = excluded.value, as_of = excluded.as_of, "offset" = excluded."offset", command = excluded.command
where (excluded.as_of, excluded."offset") > (d.as_of, d."offset")
returning topic, key
"""


async def get(connection: Connection, topic: str, key: str) -> Version | None:
    """The object as it is known here; None when it never was."""
    row = await connection.fetchrow("select * from directory where topic = $1 and key = $2", topic, key)
    return (
        Version(row["topic"], row["key"], row["tenant"], row["value"], row["as_of"], row["offset"], row["command"])
        if row
        else None
    )


async def several(connection: Connection, topic: str, keys: Sequence[str]) -> list[Version]:
    """The objects with these keys that were ever known here, those that are gone among them."""
    rows = await connection.fetch("select * from directory where topic = $1 and key = any($2::text[])", topic, keys)
    return [
        Version(row["topic"], row["key"], row["tenant"], row["value"], row["as_of"], row["offset"], row["command"])
        for row in rows
    ]


async def note_renewal(connection: Connection, topics: Sequence[str]) -> None:
    """These topics were made anew: all we know of them is to be published again (P9)."""
    await connection.execute(
        "insert into renewals (topic) select unnest($1::text[])"
        " on conflict (topic) do update set noticed_at = clock_timestamp(), done_to = ''",
        list(topics),
    )


async def known_topics(connection: Connection) -> set[str]:
    """The topics that something is known of."""
    rows = await connection.fetch("select distinct topic from directory")
    return {row["topic"] for row in rows}


async def renewals(connection: Connection) -> list[tuple[str, str]]:
    """(topic, key up to which it is done)."""
    rows = await connection.fetch("select topic, done_to from renewals order by noticed_at")
    return [(row["topic"], row["done_to"]) for row in rows]


async def after_key(connection: Connection, topic: str, key: str, most: int) -> list[Version]:
    """The next objects and tombstones of a topic by key."""
    rows = await connection.fetch(
        "select * from directory where topic = $1 and key > $2 order by key limit $3", topic, key, most
    )
    return [
        Version(row["topic"], row["key"], row["tenant"], row["value"], row["as_of"], row["offset"], row["command"])
        for row in rows
    ]


async def renewed(connection: Connection, topic: str, key: str) -> None:
    """Published again up to this key."""
    await connection.execute("update renewals set done_to = $2 where topic = $1 and done_to < $2", topic, key)


async def end_renewal(connection: Connection, topic: str, key: str) -> None:
    """All of it is published again, unless it was made anew once more meanwhile."""
    await connection.execute("delete from renewals where topic = $1 and done_to = $2", topic, key)
