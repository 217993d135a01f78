"""What was decided, as figures; once for a batch."""

from collections import Counter
from collections.abc import Collection, Iterable
from uuid import UUID

from contracts import events as e
from kit.metrics import Metrics


def count_repeats(metrics: Metrics, events: Iterable[e.Event], known: Collection[UUID]) -> None:
    """Requests that were there: before this batch, or earlier in it. One that is asked about again is none."""
    there, repeated = set(known), Counter[str]()
    for event in events:
        if isinstance(event, e.Requested):
            repeated[event.lane] += event.id in there
            there.add(event.id)
    for lane, n in repeated.items():
        metrics.repeated(lane, n)


def count_said(metrics: Metrics, said: Iterable[e.Event]) -> None:
    """What is for now and what for later by channel and lane, ends by reason; what is said again is counted again."""
    due: Counter[tuple[str, str]] = Counter()
    later: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str, str]] = Counter()
    for event in said:
        match event:
            case e.Due(end=None):
                due[event.channel or "", event.lane] += 1
            case e.Scheduled(handed=False):
                later[event.channel or "", event.lane] += 1
            case e.Failed():
                failed[event.channel or "", event.outcome, event.reason] += 1
    for key, n in due.items():
        metrics.due(*key, n)
    for key, n in later.items():
        metrics.scheduled(*key, n)
    for end, n in failed.items():
        metrics.failed(*end, n)
