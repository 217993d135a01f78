"""The jobs that are about the scheduler's rows."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from kit.control.forgetting import forget_orders
from kit.control.running import Work
from kit.postgres import Database

FireNow = Callable[[], Awaitable[int]]
"""Fires every timer that is due now; how many they were."""

CHECKS: Final = ("check_deadlines", "check_urgent", "check_overdue")


def works(database: Database, fire_now: FireNow | None) -> dict[str, Work]:
    """By name, as `contracts.jobs` lists them. `fire_now` None: nothing fires in this installation."""

    async def process(_: Mapping[str, Any]) -> Mapping[str, Any]:
        """Timers fire by themselves; this is for whoever would rather not believe it."""
        if fire_now is None:
            return {"fired": 0, "detail": "scheduler.enabled is false: nothing fires"}
        return {"fired": await fire_now()}

    async def clean_up(_: Mapping[str, Any]) -> Mapping[str, Any]:
        """A timer goes when it fires: there is none that is old."""
        return {"orders": await forget_orders(database), "timers": 0}

    return {
        "process_notifications": process,
        "cleanup": clean_up,
        "daily_report": _report,
        **dict.fromkeys(CHECKS, _check),
    }


async def _check(_: Mapping[str, Any]) -> Mapping[str, Any]:
    """Reminders are timers at their instants, so that nothing needs a check; of deadlines there are none yet."""
    return {"due": 0, "detail": "no deadline is kept yet: there is nothing to look at"}


async def _report(_: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"sent": 0, "detail": "no deadline is kept yet: there is nothing to report"}
