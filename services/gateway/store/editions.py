"""The numbers of versions, given out one by one."""

from typing import Final
from uuid import UUID

from kit.postgres import Connection


async def take(
    connection: Connection, topic: str, key: str, *, current: int, expected: int | None, command: UUID
) -> int | None:
    """The next version of this object, of which `current` is known here. None: somebody took the one after `expected`
    a moment ago, and it may be on its way."""
    found: int | None = await connection.fetchval(_TAKE, topic, key, current, expected, command)
    return found


async def give_back(connection: Connection, command: UUID, topic: str, key: str) -> None:
    """It was not published, or nobody knows: whoever sees the version before it may try again."""
    await connection.execute("delete from editions where topic = $1 and key = $2 and command = $3", topic, key, command)


async def take_first(connection: Connection, topic: str, key: str, *, whose: UUID) -> bool:
    """Whether whoever goes by this id may make this object, of which nothing is known here. Again and again, if he
    likes; not where another one makes it at this moment, and it is perhaps on its way."""
    return bool(await connection.fetchval(_TAKE_FIRST, topic, key, whose))


_TAKE_FIRST: Final = """
insert into editions as e (topic, key, version, command, taken_at) values ($1, $2, 1, $3, clock_timestamp())
on conflict (topic, key) do update set command = excluded.command, taken_at = excluded.taken_at
where e.command = excluded.command or e.taken_at < clock_timestamp() - interval '15 seconds'
returning true
"""

_TAKE: Final = """
insert into editions as e (topic, key, version, command, taken_at)
values ($1, $2, $3::integer + 1, $5, clock_timestamp())
on conflict (topic, key) do update set
    version = greatest(e.version, excluded.version - 1) + 1, command = excluded.command, taken_at = excluded.taken_at
where $4::integer is null or e.version <= $4 or e.taken_at < clock_timestamp() - interval '15 seconds'
returning version
"""
