"""Other zone data, or other settings, move the reminders and reports that are to come (P4.4)."""

from typing import Final

from kit import logs
from kit.postgres import Database
from kit.postgres.clocks import clock
from kit.service import Repeating
from services.scheduler.store import directory

EVERY: Final = 1.0
"""Seconds between two tries, while the database is away."""

log = logs.get(__name__)


class Reckoning(Repeating):
    """Once, at the start: who goes by another basis than the last one has everybody's looked at again, as if each had
    moved to another zone. Beside a scheduler of another version the last one to start counts."""

    def __init__(self, database: Database, *basis: str) -> None:
        """`basis`: all but plans and people that instants are computed by."""
        super().__init__("reckoning", self.once, EVERY)
        self._database = database
        self._basis = " ".join(basis)
        self._done = False

    async def once(self) -> None:
        """The one time that it is needed. Raises what the database raises."""
        if self._done:
            return
        async with self._database.transaction() as connection:
            people = 0
            if await directory.is_another_basis(connection, self._basis):
                people = await directory.begin_all_replans(connection, await clock(connection))
        self._done = True
        if people:
            log.info("reckoned_anew", basis=self._basis, people=people)
