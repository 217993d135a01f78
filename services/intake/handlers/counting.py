"""What was decided, as figures."""

from collections import Counter
from collections.abc import Iterable

from contracts import events as e
from kit.metrics import Metrics


def count_said(metrics: Metrics, said: Iterable[e.Event]) -> None:
    """Hand-overs by channel and lane, ends by reason; a batch that is done again is counted again."""
    due: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for event in said:
        match event:
            case e.Due(end=None):
                due[str(event.channel), event.lane] += 1
            case e.Failed():
                failed[str(event.channel), event.reason] += 1
    for key, n in due.items():
        metrics.due(*key, n)
    for key, n in failed.items():
        metrics.failed(*key, n)
