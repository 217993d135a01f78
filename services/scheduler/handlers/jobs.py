"""The jobs that are about the scheduler's rows, and forgetting a person."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from contracts import events as e
from contracts import local_time
from contracts.erasure import FORGET, Forget
from contracts.plan import DAILY_REPORT
from kit.cleaning import cleanup
from kit.control.forgetting import forget_orders
from kit.control.running import Work
from kit.metrics import Metrics
from kit.postgres import Database
from kit.postgres.clocks import clock
from services.scheduler.store import overview, schedules
from services.scheduler.store.erasing import forget_recipient, forget_retries

CHECKS: Final = ("check_deadlines", "check_urgent", "check_overdue")
OFF: Final = {"detail": "scheduler.enabled is false: nothing fires"}
AT_ONCE: Final = 1000
"""Rows that are deleted in one transaction."""


class Fires(Protocol):
    """Something that can be told to fire all that is due now, and says how many they were, by kind."""

    async def fire_now(self) -> Counter[str]: ...


class Works:
    """The work of each job, over all that fires here (nothing, where the installation has it switched off)."""

    def __init__(
        self,
        database: Database,
        firings: Sequence[Fires],
        deadlines: Fires | None,
        default_zone: str,
        metrics: Metrics,
    ) -> None:
        """`deadlines`: the one of `firings` that says reminders and daily reports; `default_zone`: whose day it is that
        decides whether a deadline is late."""
        self._database = database
        self._firings = firings
        self._deadlines = deadlines
        self._zone = local_time.zone(default_zone)
        self._metrics = metrics

    def by_name(self) -> dict[str, Work]:
        """As `contracts.jobs` lists them."""
        return {
            "process_notifications": self.process,
            "cleanup": self.clean_up(),
            DAILY_REPORT: self.report,
            FORGET.id: self.forget,
            **dict.fromkeys(CHECKS, self.check),
        }

    async def process(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """Timers fire by themselves; this is for whoever would rather not believe it."""
        fired = sum([(await one.fire_now()).total() for one in self._firings])
        return {"fired": fired} | ({} if self._firings else OFF)

    def clean_up(self) -> Work:
        """A timer goes when it fires: there is none that is old. Of a deleted schedule a row stays for a while."""
        steps = {"orders": lambda: forget_orders(self._database), "schedules": self._forget_schedules}
        return cleanup(self._metrics, steps)

    async def check(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """Reminders are timers at their instants, so that nothing needs a check: this looks by hand, and tells how
        things stand."""
        said = await self._say("reminder")
        async with self._database.connection() as connection:
            now = await clock(connection)
            seen = await overview.deadlines(connection, now, now.astimezone(self._zone).date())
            soonest = await overview.next_reminder(connection, now)
        counts = {"open": seen.open, "urgent": seen.urgent, "late": seen.late, "estimated": seen.estimated}
        return said | counts | _when("next_reminder", soonest)

    async def report(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        """Each person's report is due at the time of the own zone; this says those whose time has come."""
        said = await self._say(DAILY_REPORT)
        async with self._database.connection() as connection:
            return said | _when("next_report", await overview.next_report(connection, await clock(connection)))

    async def forget(self, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of a person's notifications only retries have a body here. Schedules and deadlines are said anew without the
        person by the gateway, but the version before still has what was due then; zone and language are gone with the
        person's entry in the directory."""
        who = Forget.model_validate(args)
        schedules = await forget_recipient(self._database, who)
        return {"retries": await forget_retries(self._database, who), "schedules": schedules}

    async def _say(self, kind: str) -> dict[str, Any]:
        """Says what is due about deadlines; how many of this kind they were."""
        if self._deadlines is None:
            return {"said": 0} | OFF
        return {"said": (await self._deadlines.fire_now())[kind]}

    async def _forget_schedules(self) -> int:
        """Each handful in a transaction of its own, so that it may be interrupted anywhere; how many they were."""
        forgotten, some = 0, AT_ONCE
        while some == AT_ONCE:
            async with self._database.transaction() as connection:
                some = await schedules.forget(connection, AT_ONCE)
            forgotten += some
        return forgotten


def _when(name: str, at: datetime | None) -> dict[str, str]:
    return {name: e.named(at)} if at else {}
