"""Counts of days that are over are of no use to anybody."""

from datetime import timedelta
from typing import Final

from kit.postgres import Database
from services.intake.store import rows, usage

KEPT: Final = timedelta(days=3)
"""A day has ended in every zone by then."""
AT_ONCE: Final = 1000


class Forgetting:
    """Deletes them, a part at a time."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def once(self) -> bool:
        """Whether there may be more."""
        async with self.db.transaction() as connection:
            now = (await rows.moment(connection)).now
            return await usage.forget(connection, f"{now - KEPT:%Y-%m-%d}", AT_ONCE) == AT_ONCE
