"""What a batch of answers comes to, as figures: once for all of it, when it is written down."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from kit.delivery.pipe.delivery import Delivery
from kit.delivery.rules import Result
from kit.metrics import Metrics

Timed = Sequence[tuple[float, Delivery]]


def counted(metrics: Metrics, batch: Sequence[Delivery], now: datetime) -> None:
    """How late, how long under way, and what each provider answered. `now` by tocsin.clock()."""
    channel = batch[0].due.channel or ""
    late = [(one.late, one) for one in batch if one.late is not None]
    metrics.late(channel, _seconds(late), _slowest(late))
    had = [(max((now - one.wanted_at).total_seconds(), 0.0), one) for one in batch if _is_taken(one)]
    metrics.ended(channel, _seconds(had), _slowest(had))
    answers = Counter((one.outlet.provider.name, one.verdict.result) for one in batch if one.verdict)
    for (provider, result), n in answers.items():
        metrics.answered(channel, provider, result.value, n)
    for provider in {name for name, _ in answers}:
        took = [one.took for one in batch if one.took is not None and one.outlet.provider.name == provider]
        metrics.answered_in(channel, provider, took)


def _is_taken(one: Delivery) -> bool:
    return one.verdict is not None and one.verdict.result is Result.SENT


def _seconds(timed: Timed) -> list[float]:
    return [seconds for seconds, _ in timed]


def _slowest(timed: Timed) -> list[tuple[float, str]]:
    """The one that somebody will want to look at, if its trace is known."""
    if not timed:
        return []
    seconds, one = max(timed, key=_first)
    trace_id = one.trace_id
    return [(seconds, trace_id)] if trace_id else []


def _first(timed: tuple[float, Delivery]) -> float:
    return timed[0]
