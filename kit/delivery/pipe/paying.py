"""What a pace allows: asked for before anything is claimed, once for a batch (P5.4)."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from kit import logs
from kit.delivery.pace.pace import Pace
from kit.delivery.pipe.delivery import Delivery
from kit.delivery.pipe.outlet import Outlet
from kit.delivery.pipe.route import Route
from kit.postgres import Connection, Database, fate

PATIENCE: Final = 2.0
"""Seconds that those who wait give the database: then they go on waiting."""

log = logs.get(__name__)


async def allow(connection: Connection, batch: Sequence[Delivery]) -> None:
    """Gives fares to as many of a batch as the paces of their providers let; the urgent ones first.

    Raises what says that the database is away. Whatever else goes wrong with a pace is no message's fault: it waits.
    """
    for pace in [pace for pace in {one.outlet.pace for one in batch} if pace.limits]:
        for urgent in (True, False):
            if those := [one for one in batch if one.outlet.pace is pace and one.urgent is urgent]:
                with _no_fault_of_theirs():
                    await pace.allow(connection, those, urgent=urgent)


def allowed(one: Delivery) -> bool:
    """Whether its provider's pace lets it be handed over now."""
    return one.outlet.pace.allows(one)


async def knocked(database: Database, route: Route[Delivery]) -> list[Delivery]:
    """Those who may try now, of who waits outside; and what was handed over is told, though nobody wants anything."""
    knocking, paces = route.knocking(), [outlet.pace for outlet in route.outlets if outlet.pace.limits]
    if not paces:
        return knocking
    chosen = {urgent: route.choose(urgent=urgent) for urgent in (True, False)}
    for one in knocking:
        one.outlet = chosen[one.urgent]
    asking = [one for one in knocking if not one.outlet.pace.shut(urgent=one.urgent)]
    if asking or any(pace.owes() for pace in paces):
        await _asked_in_time(database, asking, paces)
    # Who lost his partition meanwhile is let go by the next step: nobody else looks for him here.
    going = [one for one in knocking if not one.ticket.wanted or allowed(one)]
    route.waiting.put_back(one for one in knocking if one.ticket.wanted and not allowed(one))
    return going


async def _asked_in_time(database: Database, asking: Sequence[Delivery], paces: Sequence[Pace]) -> None:
    with suppress(Exception):
        async with asyncio.timeout(PATIENCE), database.connection() as connection:
            await allow(connection, asking)
            for pace in paces:
                with _no_fault_of_theirs():
                    await pace.allow(connection, (), urgent=False)


async def settle(database: Database, outlet: Outlet) -> None:
    """At the end: what was allowed and is not handed over goes back. Else it is missed until it has lapsed."""
    if outlet.pace.limits:
        with suppress(Exception):
            async with asyncio.timeout(PATIENCE), database.connection() as connection:
                await outlet.pace.tell(connection)


@contextmanager
def _no_fault_of_theirs() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if fate(error) == "connection":
            raise
        log.error("pace_not_asked", exc_info=error)
