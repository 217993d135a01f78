"""Orders that have ended long ago are deleted, a few at a time."""

from typing import Final

from kit.control import store
from kit.postgres import Database

DAYS: Final = 30
"""Longer than Kafka keeps what was ordered (7 days): an order that is read again must be found (P8)."""
AT_ONCE: Final = 1000


async def forget_orders(database: Database) -> int:
    """Each handful in a transaction of its own, so that it may be interrupted anywhere; how many they were."""
    forgotten = 0
    while True:
        async with database.transaction() as connection:
            some = await store.forget(connection, DAYS, AT_ONCE)
        forgotten += some
        if some < AT_ONCE:
            return forgotten
