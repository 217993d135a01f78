"""What a batch of answers comes to, as figures: once for all of it, when it is written down."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from kit.delivery.pipe.delivery import Delivery
from kit.delivery.rules import Result
from kit.metrics import Metrics


def counted(metrics: Metrics, batch: Sequence[Delivery], now: datetime) -> None:
    """How late, how long under way, and what each provider answered. `now` by tocsin.clock()."""
    channel = batch[0].due.channel or ""
    late = [one for one in batch if one.late is not None]
    lateness = [one.late or 0.0 for one in late]
    metrics.late(channel, lateness, _slowest(late, lateness))
    had = [one for one in batch if one.conclusion and one.conclusion.result is Result.SENT]
    under_way = [_under_way(one, now) for one in had]
    metrics.ended(channel, under_way, _slowest(had, under_way))
    for outlet in {one.outlet for one in batch}:
        answered = [one for one in batch if one.outlet is outlet]
        name = outlet.provider.name
        for result, n in Counter(one.conclusion.result for one in answered if one.conclusion).items():
            metrics.answered(channel, name, result.value, n)
        metrics.answered_in(channel, name, [one.took for one in answered if one.took is not None])


def _under_way(one: Delivery, now: datetime) -> float:
    """Until its provider had it: of a first attempt its seconds are known."""
    if one.late is not None and one.took is not None:
        return one.late + one.took
    return max((now - one.wanted_at).total_seconds(), 0.0)


def _slowest(batch: Sequence[Delivery], seconds: Sequence[float]) -> list[tuple[float, str]]:
    """The one that somebody will want to look at, if its trace is known."""
    if not batch:
        return []
    worst = max(seconds)
    trace_id = batch[seconds.index(worst)].trace_id
    return [(worst, trace_id)] if trace_id else []
