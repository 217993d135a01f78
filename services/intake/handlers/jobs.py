"""The jobs that are about intake's rows, and forgetting a person."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from contracts.erasure import FORGET
from kit.cleaning import cleanup
from kit.control.forgetting import forget_orders
from kit.control.running import Work
from kit.metrics import Metrics
from kit.postgres import Database
from services.intake.handlers.cleaning import Cleaning
from services.intake.handlers.erasing import Erasing
from services.intake.loops.sweep import Sweep


def works(
    database: Database, sweep: Sweep, erasing: Erasing, metrics: Metrics, remembered: timedelta
) -> dict[str, Work]:
    """By name, as `contracts.jobs` lists them. `remembered`: how long after its end an id is known."""

    async def sweep_now(_: Mapping[str, Any]) -> Mapping[str, Any]:
        """One look; what is left of a large loss goes on at its pace."""
        return asdict(await sweep.look())

    cleaning = Cleaning(database, remembered)
    clean_up = cleanup(
        metrics,
        {
            "notifications": cleaning.forget_notifications,
            "keys": cleaning.forget_keys,
            "group_ends": cleaning.forget_group_ends,
            "groups": cleaning.forget_groups,
            "orders": lambda: forget_orders(database),
        },
    )
    return {"sweep": sweep_now, "cleanup": clean_up, FORGET.id: erasing.forget}
