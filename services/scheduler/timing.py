"""At its time a job is ordered on `ops.control`: once per instant, however many schedulers there are."""

from collections.abc import Mapping
from typing import Final

from contracts import events as e
from contracts.identity import object_id
from contracts.jobs import JOBS
from kit import logs
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.clock import monotonic, utc_now
from kit.control.instance import Instance
from kit.postgres import Database
from kit.postgres.clocks import clock
from kit.service import Repeating
from kit.settings import Settings
from services.scheduler.rules import jobs as rules
from services.scheduler.rules.jobs import Plan, Row
from services.scheduler.store import jobs as store

EVERY: Final = 1.0
TELL_ALL: Final = 60.0
"""Seconds after which all is told again: whoever lost it, or is new, need not wait for a change."""

log = logs.get(__name__)


def plans_of(settings: Settings) -> dict[str, Plan | None]:
    """Each job's plan; None for those that are run by hand, or are switched off."""
    told = settings.notifications
    times, plans = told.scheduler.jobs, dict[str, Plan | None].fromkeys(JOBS)
    if told.scheduler.enabled:
        plans["daily_report"] = rules.daily(told.daily_report_at, told.default_time_zone)
    if told.scheduler.enabled and told.cleanup.enabled:
        plans["cleanup"] = Plan(times.cleanup, times.time_zone or told.default_time_zone)
    return plans


class Timing(Repeating):
    """Looks each second for jobs whose instant has come, by tocsin.clock(); tells of every change on `ops.status`.

    Whoever moves `next_run` on has started the run of that instant. Its order has an id made of job and instant, so
    that one which is said twice is done once.
    """

    def __init__(self, database: Database, publisher: Publisher, plans: Mapping[str, Plan | None]) -> None:
        super().__init__("timing", self.once, EVERY)
        self._database = database
        self._publisher = publisher
        self._plans = plans
        self._instance = Instance.of("scheduler").name
        self._prepared = False
        self._told_at = -TELL_ALL

    async def once(self) -> None:
        """One look. What could not be said is said at the next one."""
        async with self._database.transaction() as connection:
            now = await clock(connection)
            if not self._prepared:
                await store.prepare(connection, self._plans, now)
            for row in await store.due(connection, now):
                # Without a plan of ours it is for one who was started with other settings.
                if plan := self._plans.get(row.id):
                    await store.begin(connection, rules.begun(row, plan.after(now), now))
        self._prepared = True
        await self._order()
        await self._tell_changes()

    async def _order(self) -> None:
        async with self._database.connection() as connection:
            rows = await store.unsaid(connection)
        if rows:
            await self._publisher.publish([Outgoing.of(_order(row)) for row in rows])
            async with self._database.connection() as connection:
                await store.said(connection, rows)

    async def _tell_changes(self) -> None:
        all_again = monotonic() - self._told_at >= TELL_ALL
        async with self._database.connection() as connection:
            rows = await store.changed(connection)
            if all_again:
                rows = await store.all_of_them(connection)
        if rows:
            await self._publisher.publish([Outgoing.of(self._told(row)) for row in rows])
        if all_again:
            self._told_at = monotonic()

    def _told(self, row: Row) -> e.ServiceStatus:
        return e.ServiceStatus(
            correlation_id=object_id("default", "job", row.id),
            command=row.id,
            service="scheduler",
            instance=self._instance,
            state="job",
            at=utc_now(),
            result=rules.shown(row, self._plans.get(row.id)),
        )


def _order(row: Row) -> e.Control:
    assert row.run_id is not None
    return e.Control(correlation_id=row.run_id, command=row.id)
