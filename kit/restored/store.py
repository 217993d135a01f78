"""The SQL of what has to be read again, in the schema of whoever waits for it."""

from collections.abc import Collection
from typing import Final

from kit.postgres import Connection
from kit.restored.rules import Mark


async def begin(connection: Connection, schema: str, marks: Collection[Mark]) -> None:
    """As the owner, into the schema of a service: this is to be read again, and nothing else."""
    await connection.execute(f"delete from {schema}.unread")
    await connection.executemany(_INSERT.format(schema=schema), marks)


_INSERT: Final = """
insert into {schema}.unread (consumer, topic, partition, through, stale_at, restored_at) values ($1, $2, $3, $4, $5, $6)
"""


async def left(connection: Connection) -> list[Mark]:
    """What is still to be read; none: time goes on."""
    return [Mark(*row.values()) for row in await connection.fetch(_LEFT)]


_LEFT: Final = """
select consumer, topic, partition, through, stale_at, restored_at from unread order by consumer, topic, partition
"""


async def passed(connection: Connection, marks: Collection[Mark]) -> None:
    """These were read; one that was written anew meanwhile stays."""
    rows = [(one.consumer, one.topic, one.partition, one.restored_at) for one in marks]
    await connection.executemany(_PASSED, rows)


_PASSED: Final = "delete from unread where (consumer, topic, partition, restored_at) = ($1, $2, $3, $4)"
