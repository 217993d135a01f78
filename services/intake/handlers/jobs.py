"""The jobs that are about intake's rows, and forgetting a person."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from contracts.erasure import FORGET
from kit.control.forgetting import forget_orders
from kit.control.running import Work
from kit.postgres import Database
from services.intake.handlers.erasing import Erasing
from services.intake.loops.sweep import Sweep


def works(database: Database, sweep: Sweep, erasing: Erasing) -> dict[str, Work]:
    """By name, as `contracts.jobs` lists them."""

    async def sweep_now(_: Mapping[str, Any]) -> Mapping[str, Any]:
        """One look; what is left of a large loss goes on at its pace."""
        return asdict(await sweep.look())

    async def clean_up(_: Mapping[str, Any]) -> Mapping[str, Any]:
        """Judged rows are not deleted yet: all of them stay."""
        return {"orders": await forget_orders(database), "notifications": 0, "detail": "no notification is deleted yet"}

    return {"sweep": sweep_now, "cleanup": clean_up, FORGET.id: erasing.forget}
