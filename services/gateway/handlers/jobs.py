"""The jobs that are about the gateway's rows, and forgetting a person."""

from collections.abc import Awaitable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, Final, Protocol

from contracts.erasure import FORGET
from kit.cleaning import Unhurried, cleanup
from kit.control.forgetting import forget_orders
from kit.control.running import Work
from kit.metrics import Metrics
from kit.postgres import Connection, Database
from services.gateway.handlers.cleaning import Cleaning
from services.gateway.handlers.erasing import Erasing
from services.gateway.outbox.sweep import Sweep
from services.gateway.settings import WebhookPace
from services.gateway.store import alerts, operations, stream, webhook_deliveries, webhooks
from services.gateway.store import cleaning as cleaning_store

STEPS_KEPT_DAYS: Final = 30
"""Who comes back after longer than this loads the inbox anew: what became of its entries is shown there."""
STEPS_AT_ONCE: Final = 10_000
FORGOTTEN_DAYS: Final = 35
"""Poison, and what was said of ids that never came: far longer than Kafka could say it again."""
FORGOTTEN_AT_ONCE: Final = 1000


def works(
    database: Database, sweep: Sweep, erasing: Erasing, cleaning: Cleaning, pace: WebhookPace, metrics: Metrics
) -> dict[str, Work]:
    """By name, as `contracts.jobs` lists them."""

    async def sweep_now(_: Mapping[str, Any]) -> Mapping[str, Any]:
        """One look at the outbox."""
        return asdict(await sweep.sweep(at_once=True))

    async def runs() -> int:
        async with database.connection() as connection:
            return await operations.forget(connection)

    async def lives() -> int:
        async with database.connection() as connection:
            return await alerts.forget(connection)

    others = cleanup(
        metrics,
        {
            "ids": cleaning.forget_ids,
            "changes": lambda: _trim(database),
            "runs": runs,
            "alerts": lives,
            "webhook_deliveries": lambda: _clean_webhooks(database, pace),
            "poison": lambda: _forget(database, cleaning_store.forget_poison),
            "commands": lambda: _forget(database, partial(cleaning_store.forget_strays, table="commands")),
            "refusals": lambda: _forget(database, partial(cleaning_store.forget_strays, table="refusals")),
            "judged_hours": lambda: _forget(database, cleaning_store.forget_hours),
            "orders": lambda: forget_orders(database),
        },
    )

    async def clean_up(args: Mapping[str, Any]) -> Mapping[str, Any]:
        """Notifications last: an archive that cannot be written holds up nothing else."""
        told = await others(args)
        return await cleaning.clean_up() | dict(told)

    return {"sweep": sweep_now, "cleanup": clean_up, FORGET.id: erasing.forget}


class Forget(Protocol):
    """Deletes at most so many rows that were kept for so many days; how many."""

    def __call__(self, connection: Connection, *, days: int, most: int) -> Awaitable[int]: ...


async def _forget(database: Database, some_of: Forget) -> int:
    """All of them, each handful in a transaction of its own; how many."""
    gone, some, rest = 0, FORGOTTEN_AT_ONCE, Unhurried()
    while some == FORGOTTEN_AT_ONCE:
        async with database.connection() as connection:
            some = await some_of(connection, days=FORGOTTEN_DAYS, most=FORGOTTEN_AT_ONCE)
        gone += some
        await rest.rest()
    return gone


async def _trim(database: Database) -> int:
    """Drops the steps of streams that nobody goes back to; how many."""
    gone, some = 0, STEPS_AT_ONCE
    while some:
        async with database.connection() as connection:
            some = await stream.trim(connection, STEPS_KEPT_DAYS, STEPS_AT_ONCE)
        gone += some
    return gone


async def _clean_webhooks(database: Database, pace: WebhookPace) -> int:
    """Drops the bodies of what was delivered, and later all of a delivery; how many of these. And secrets whose day is
    over."""
    gone = 0
    async with database.connection() as connection:
        await webhooks.forget_old_secrets(connection)
        while await webhook_deliveries.blank_old(connection, pace.body_days, STEPS_AT_ONCE):
            pass
        while n := await webhook_deliveries.delete_old(connection, pace.kept_days, STEPS_AT_ONCE):
            gone += n
    return gone
