"""What a sender counts: a batch of answers by provider, how long each was under way, and what its pace has left."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from contracts.events import Due
from kit.delivery.pace.pace import Pace
from kit.delivery.pace.rules import Limit
from kit.delivery.pipe.counting import counted
from kit.delivery.pipe.delivery import Delivery
from kit.delivery.rules import Conclusion, Result
from kit.metrics import Metrics
from kit.postgres import Database
from tests.kit.delivery.support import due

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Outlet:
    """As much of one as is counted by."""

    def __init__(self, name: str) -> None:
        self.provider = SimpleNamespace(name=name)


def delivery(result: Result, outlet: Outlet, about: Due | None = None, **more: Any) -> Delivery:
    nothing = cast(Any, None)
    one = Delivery(nothing, about or due(), nothing, cast(Any, outlet), conclusion=Conclusion(result))
    return replace(one, **more)


def test_a_batch_of_answers_is_counted_at_once() -> None:
    metrics, smtp, spare = Metrics("email_sender"), Outlet("smtp"), Outlet("spare")
    traced = due(trace=f"00-{TRACE}-00f067aa0ba902b7-01")
    old = due()
    batch = [
        delivery(Result.SENT, smtp, late=0.2, took=0.1),
        delivery(Result.SENT, smtp, traced, late=4.0, took=0.5),
        delivery(Result.SENT, spare, old, took=0.2),
        delivery(Result.RETRY, spare, took=9.0),
    ]
    counted(metrics, batch, old.at + timedelta(seconds=50))

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"tocsin_{name}", labels)

    answers = {(p, a): value("provider_answers_total", channel="email", provider=p, answer=a) for p, a in EXPECTED}
    assert answers == EXPECTED
    assert value("provider_answer_seconds_sum", channel="email", provider="spare") == pytest.approx(9.2)
    assert value("notification_lateness_seconds_count", channel="email") == 2
    assert value("notification_end_to_end_seconds_count", channel="email") == 3
    assert value("notification_end_to_end_seconds_sum", channel="email") == pytest.approx(0.3 + 4.5 + 50)
    [lateness] = [one for one in metrics.registry.collect() if one.name == "tocsin_notification_lateness_seconds"]
    examples = {one.labels["le"]: one.exemplar.labels for one in lateness.samples if one.exemplar}
    assert examples == {"5.0": {"trace_id": TRACE}}


EXPECTED = {("smtp", "sent"): 2, ("spare", "sent"): 1, ("spare", "retry"): 1}


async def test_what_a_pace_has_left_is_known_from_its_last_look(database: str) -> None:
    sender = await Database.open(database, "email_sender", size=1)
    now = 100.0
    pace = Pace([Limit("fake", "minute", 20), Limit("fake", "day", 100)], lambda: now)
    assert pace.left() == {}
    one = delivery(Result.SENT, Outlet("fake"))
    one.outlet = cast(Any, SimpleNamespace(pace=pace))
    async with sender.connection() as connection:
        await pace.allow(connection, [one], urgent=False)
    await sender.close()
    assert pace.left() == {"minute": 19, "day": 99}
    now += 61
    assert pace.left() == {"minute": 20, "day": 99}
