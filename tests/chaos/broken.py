"""A service with one rule left out, to see that the chaos run notices: `python -m tests.chaos.broken RULE SERVICE`."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from kit import engine
from kit.delivery.store import claims
from kit.delivery.store.results import Written
from kit.postgres import Connection


def offsets_before_the_work() -> None:
    """P7, 4.4: records count as finished as soon as they are let in, so that a crash loses what was under way."""
    admit = engine.Tenure.admit

    def admit_and_finish(tenure: engine.Tenure, offset: int, timestamp: datetime) -> None:
        admit(tenure, offset, timestamp)
        tenure.finish(offset)

    engine.Tenure.admit = admit_and_finish  # type: ignore[method-assign]
    engine.Ticket.finish = lambda ticket: ticket.release()  # type: ignore[method-assign]


def no_claim() -> None:
    """P5.1: nobody writes down what is handed over, so that a repeat is handed over again and nobody knows."""
    look = claims.look

    async def blind(connection: Connection, ids: Collection[UUID]) -> claims.Look:
        return replace(await look(connection, ids), claims={})

    async def claimed(_: Connection, wanted: Iterable[claims.Wanted], __: timedelta) -> set[UUID]:
        return {one.token for one in wanted}

    async def recorded(_: Connection, results: Iterable[Written]) -> set[tuple[UUID, int]]:
        return {(one.id, one.try_) for one in results}

    claims.look, claims.claim, claims.record = blind, claimed, recorded


RULES: dict[str, Callable[[], None]] = {rule.__name__: rule for rule in (offsets_before_the_work, no_claim)}


def main() -> None:
    """Leaves the rule out, then is the service."""
    rule, service = sys.argv[1:]
    RULES[rule]()
    sys.argv = [f"services.{service}"]
    runpy.run_module(f"services.{service}", run_name="__main__")


if __name__ == "__main__":
    main()
