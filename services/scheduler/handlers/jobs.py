"""The jobs that are about the scheduler's rows."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from kit.control.forgetting import forget_orders
from kit.control.running import Work
from kit.postgres import Database

CHECKS: Final = ("check_deadlines", "check_urgent", "check_overdue")


class Fires(Protocol):
    """Something that can be told to fire all that is due now, and says how many they were."""

    async def fire_now(self) -> int: ...


def works(database: Database, firings: Sequence[Fires]) -> dict[str, Work]:
    """By name, as `contracts.jobs` lists them. Without `firings` nothing fires in this installation."""

    async def process(_: Mapping[str, Any]) -> Mapping[str, Any]:
        """Timers fire by themselves; this is for whoever would rather not believe it."""
        if not firings:
            return {"fired": 0, "detail": "scheduler.enabled is false: nothing fires"}
        return {"fired": sum([await one.fire_now() for one in firings])}

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
