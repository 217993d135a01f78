"""The jobs that are about the gateway's rows, and forgetting a person."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from contracts.erasure import FORGET
from kit.control.forgetting import forget_orders
from kit.control.running import Work
from kit.postgres import Connection, Database
from services.gateway.handlers.erasing import Erasing
from services.gateway.outbox.sweep import Sweep
from services.gateway.settings import WebhookPace
from services.gateway.store import alerts, operations, stream, webhook_deliveries

STEPS_KEPT_DAYS: Final = 30
"""Who comes back after longer than this loads the inbox anew: what became of its entries is shown there."""
STEPS_AT_ONCE: Final = 10_000


def works(database: Database, sweep: Sweep, erasing: Erasing) -> dict[str, Work]:
    """By name, as `contracts.jobs` lists them."""

    async def sweep_now(_: Mapping[str, Any]) -> Mapping[str, Any]:
        """One look at the outbox."""
        return asdict(await sweep.sweep(at_once=True))

    async def clean_up(_: Mapping[str, Any]) -> Mapping[str, Any]:
        """What people see of their notifications is not deleted yet."""
        async with database.connection() as connection:
            runs = await operations.forget(connection)
            changes = await _trim(connection)
            lives = await alerts.forget(connection)
            deliveries = await _clean_webhooks(connection)
        orders = await forget_orders(database)
        return {
            "orders": orders,
            "runs": runs,
            "changes": changes,
            "alerts": lives,
            "webhook_deliveries": deliveries,
            "notifications": 0,
            "detail": "no notification is deleted yet",
        }

    return {"sweep": sweep_now, "cleanup": clean_up, FORGET.id: erasing.forget}


async def _trim(connection: Connection) -> int:
    """Drops the steps of streams that nobody goes back to; how many."""
    gone = 0
    while n := await stream.trim(connection, STEPS_KEPT_DAYS, STEPS_AT_ONCE):
        gone += n
    return gone


async def _clean_webhooks(connection: Connection) -> int:
    """Drops the bodies of what was delivered, and later all of a delivery; how many of these."""
    pace, gone = WebhookPace(), 0
    while await webhook_deliveries.blank_old(connection, pace.body_days, STEPS_AT_ONCE):
        pass
    while n := await webhook_deliveries.delete_old(connection, pace.kept_days, STEPS_AT_ONCE):
        gone += n
    return gone
