"""Forgetting a person: what is open ends, and of all of it ids and outcomes stay (P8)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from contracts.erasure import Forget
from contracts.status import End
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.postgres import Database
from services.intake.loops.one_by_one import one_by_one
from services.intake.rules.ending import end
from services.intake.rules.facts import Facts
from services.intake.store import counts, erasing, rows

STAGE: Final = "forgetting"
AT_ONCE: Final = 500


class Erasing:
    """Done again from the beginning where it was interrupted: what has ended meanwhile is not ended again."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database = database
        self._publisher = publisher

    async def forget(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """The work of the order `forget`; what it answers are counts."""
        who = Forget.model_validate(args)
        ids = await erasing.open_ones(self._database, who)
        for begin in range(0, len(ids), AT_ONCE):
            await self._end(ids[begin : begin + AT_ONCE])
        blanked = await erasing.blank(self._database, who)
        return {"ended": len(ids), "notifications": blanked, "keys": await erasing.forget_keys(self._database, who)}

    async def _end(self, ids: Sequence[UUID]) -> None:
        """A waiting row ends here, a handed one at its sender (P3.4). What a crash leaves unsaid the sweeps say."""
        async with self._database.transaction() as connection:
            moment = await rows.moment(connection)
            before = await rows.lock(connection, ids)
            steps = one_by_one(
                (row for row in before.values() if row.is_open),
                lambda row: end(row, End.FORGOTTEN, None, Facts(), moment),
            )
            changed = rows.changed(before, (step.row for step in steps if step.row))
            if changed:
                await rows.update(connection, changed, moment)
            await counts.add(connection, STAGE, counts.Tally(before, changed))
        said = [event for step in steps for event in step.said]
        if said:
            await self._publisher.publish([Outgoing.of(event) for event in said])
