"""Drives again what is lost, not late; ends what is open long past its expiry (P3.9, P3.7)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.status import Channel
from contracts.topics import (
    INTAKE,
    INTAKE_OUTCOMES,
    SCHEDULED,
    SCHEDULER,
    SENDER_OF,
    Group,
    due_topic,
)
from kit import logs, refused
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.bus.served import earliest
from kit.metrics import Metrics
from kit.postgres import Connection, Database
from services.intake.handlers.gathering import Wanted, with_requests
from services.intake.loops.one_by_one import one_by_one
from services.intake.rules.facts import Facts, Policy
from services.intake.rules.row import Moment, Row, Step
from services.intake.rules.sweeping import PILES, Pile, SweepPace, driven, overdue, resting
from services.intake.store import counts, rows

log = logs.get(__name__)

STAGE = "sweep"

Served = Callable[[Group], Awaitable[Mapping[str, datetime | None]]]
"""How far a group has come on each of its topics; None where that cannot be said."""


class Horizons:
    """How far those have come who should have spoken; each group is asked once per sweep, and only if it matters."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self._known: dict[str, Mapping[str, datetime | None]] = {}

    async def of(self, pile: Pile) -> datetime | None:
        """The instant up to which everything of this pile would have been heard of."""
        if pile.channel is None:
            times = [(await self._ask(SCHEDULER)).get(SCHEDULED.name), await self._all_of(INTAKE)]
        else:
            lane = due_topic(pile.channel, pile.lane).name
            times = [(await self._ask(SENDER_OF[pile.channel])).get(lane), await self._all_of(INTAKE_OUTCOMES)]
        return earliest({str(n): time for n, time in enumerate(times)})

    async def _all_of(self, group: Group) -> datetime | None:
        return earliest(await self._ask(group))

    async def _ask(self, group: Group) -> Mapping[str, datetime | None]:
        if group.name not in self._known:
            self._known[group.name] = await self.served(group)
        return self._known[group.name]


@dataclass(frozen=True, slots=True)
class Swept:
    """What one look came to: rows said again, rows whose end was asked for, and whether there may be more."""

    driven: int
    ended: int
    more: bool


class Sweep:
    """One look at everything that is open; `served` asks Kafka."""

    def __init__(
        self,
        db: Database,
        publisher: Publisher,
        served: Served,
        policy: Policy,
        metrics: Metrics,
        pace: SweepPace | None = None,
        may_look: Callable[[], bool] = lambda: True,
    ) -> None:
        """`may_look`: not before everything was read again after a restore. What has expired since the backup may have
        been moved, and what is overdue may have been sent (P9)."""
        self.db = db
        self.publisher = publisher
        self.served = served
        self.policy = policy
        self.metrics = metrics
        self.pace = pace or SweepPace()
        self.may_look = may_look

    async def once(self) -> bool:
        """One look, and a second's rest where there may be more; whether there may."""
        swept = await self.look()
        if swept.more:
            await asyncio.sleep(1)
        return swept.more

    async def look(self) -> Swept:
        """Drives what is lost, the most urgent first, at most `per_second`."""
        if not self.may_look():
            return Swept(driven=0, ended=0, more=False)
        async with self.db.connection() as connection:
            moment = await rows.moment(connection)
            oldest = await rows.oldest(connection)
        self._show_age(oldest, moment)
        ended = await self._end_overdue(self.pace.per_second)
        most = left = self.pace.per_second - ended
        horizons = Horizons(self.served)
        for pile in PILES:
            if left > 0 and (until := await self._until(pile, oldest, horizons, moment)):
                left -= await self._drive(pile, until, left)
        return Swept(driven=most - left, ended=ended, more=left <= 0)

    async def _until(
        self, pile: Pile, oldest: Mapping[str, datetime], horizons: Horizons, moment: Moment
    ) -> datetime | None:
        """Rows of this pile that are older than this are lost; None: nothing is, or nobody knows.

        Waiting rows go by clock(), so that what is compared with them does, too.
        """
        skew = moment.skew if pile.channel is None else moment.skew * 0
        eldest = oldest.get(pile.name)
        if eldest is None or eldest > moment.real + skew - self.pace.slack:
            return None
        horizon = await horizons.of(pile)
        return None if horizon is None else min(horizon, moment.real) + skew - self.pace.slack

    async def _drive(self, pile: Pile, until: datetime, most: int) -> int:
        async with self.db.transaction() as connection:
            moment = await rows.moment(connection)
            found = await rows.lost(connection, pile, until, most)
            facts, found = await self._facts(connection, found)
            steps = one_by_one(
                found.values(),
                lambda row: self._driven(row, facts, moment),
                lambda row: Step(resting(row, self.pace, moment)),
            )
            await _write(connection, found, steps, moment)
        await self._say(steps, "scheduled" if pile.channel is None else "due")
        return len(steps)

    def _driven(self, row: Row, facts: Facts, moment: Moment) -> Step:
        """One that cannot be said comes again all the same, later each time."""
        if row.sweeps >= self.pace.alarm_after:
            log.error("driven_without_effect", id=str(row.id), times=row.sweeps, channel=row.channel, lane=row.lane)
            self.metrics.republished("alarm")
        return driven(row, facts, self.pace, moment)

    async def _end_overdue(self, most: int) -> int:
        async with self.db.transaction() as connection:
            moment = await rows.moment(connection)
            found = await rows.overdue(connection, moment.now - self.pace.overdue, most)
            steps = one_by_one(found.values(), lambda row: overdue(row, Facts(), moment))
            await _write(connection, found, steps, moment)
        await self._say(steps, "expired")
        return len(steps)

    async def _facts(self, connection: Connection, found: dict[UUID, Row]) -> tuple[Facts, dict[UUID, Row]]:
        found = await with_requests(connection, found, found.keys())
        wanted = Wanted()
        wanted.by_rows(found.values())
        return Facts(policy=self.policy, templates=await wanted.templates_known(connection)), found

    async def _say(self, steps: Iterable[Step], kind: str) -> None:
        said = [event for step in steps for event in step.said]
        if said:
            await refused.publish(self.publisher, [Outgoing.of(event) for event in said])
            self.metrics.republished(kind, len(said))

    def _show_age(self, oldest: Mapping[str, datetime], moment: Moment) -> None:
        """How long the oldest of each channel is due without a word; what waits for its time is not late."""
        for channel in Channel:
            ages = [moment.real - at for pile, at in oldest.items() if pile.startswith(f"{channel}.")]
            self.metrics.oldest_open(channel, max((age.total_seconds() for age in ages), default=0.0))


async def _write(connection: Connection, before: Mapping[UUID, Row], steps: Sequence[Step], moment: Moment) -> None:
    changed = rows.changed(before, (step.row for step in steps if step.row))
    if changed:
        await rows.update(connection, changed, moment)
    await counts.add(connection, STAGE, counts.Tally(before, changed))
