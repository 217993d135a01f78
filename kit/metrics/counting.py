"""What a service counts: each method is one thing that happened, or stands so now."""

import platform
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final, TypeAlias

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from kit.metrics import catalogue as c
from kit.metrics.book import Book
from kit.metrics.figure import Figure

Traces: TypeAlias = Iterable[tuple[float, str]]

PROVIDER_STATES: Final = ("open", "ailing", "shut", "paused", "used_up")


class Metrics:
    """The figures of one service on a registry of its own; `n` is how often it happened: a batch is counted at once.

    Label values are bounded: a name beyond the first sixty of its label counts as `other`. An id, an address or a
    tenant is never a label.
    """

    def __init__(self, service: str | None = None, registry: CollectorRegistry | None = None) -> None:
        """`service`: shows the figures that are its own; None: all of them."""
        self.registry = registry or CollectorRegistry()
        self._book = Book(one for one in c.CATALOGUE if service is None or service in one.services)
        for made in (ProcessCollector, PlatformCollector, GCCollector):
            made(registry=self.registry)
        self.registry.register(self._book)
        self._book.set(c.BUILD, 1, service or "", _version(), platform.python_version())

    def when_read(self, reading: Callable[[], None]) -> None:
        """Calls this whenever somebody asks for the figures, to set gauges."""
        self._book.when_read(reading)

    # ------------------------------------------------------------------------------------- the way of a notification

    def accepted(self, channel: str, lane: str, n: int = 1) -> None:
        self._book.add(c.ACCEPTED, n, channel, lane)

    def repeated(self, lane: str, n: int = 1) -> None:
        self._book.add(c.REPEATED, n, lane)

    def scheduled(self, channel: str, lane: str, n: int = 1) -> None:
        self._book.add(c.SCHEDULED, n, channel, lane)

    def due(self, channel: str, lane: str, n: int = 1) -> None:
        self._book.add(c.DUE, n, channel, lane)

    def sent(self, channel: str, provider: str, n: int = 1) -> None:
        self._book.add(c.SENT, n, channel, provider)

    def delivered(self, channel: str, provider: str, n: int = 1) -> None:
        self._book.add(c.DELIVERED, n, channel, provider)

    def undelivered(self, channel: str, provider: str, n: int = 1) -> None:
        self._book.add(c.UNDELIVERED, n, channel, provider)

    def failed(self, channel: str, outcome: str, reason: str, n: int = 1) -> None:
        self._book.add(c.FAILED, n, channel, outcome, reason)

    def retried(self, channel: str, reason: str, n: int = 1) -> None:
        self._book.add(c.RETRIES, n, channel, reason)

    def copy_flagged(self, channel: str, n: int = 1) -> None:
        self._book.add(c.COPIES, n, channel)

    def late(self, channel: str, seconds: Sequence[float], traces: Traces = ()) -> None:
        """How long after its planned instant each was handed over; never negative, for a reminder is never early.

        `traces`: of some of them the seconds and the trace id, for whoever wants to look at one.
        """
        self._spread(c.LATENESS_OF, seconds, traces, channel)

    def ended(self, channel: str, seconds: Sequence[float], traces: Traces = ()) -> None:
        """How long each was on its way until its provider had it; `traces` as in `late`."""
        self._spread(c.END_TO_END, seconds, traces, channel)

    def oldest_open(self, channel: str, seconds: float) -> None:
        """Age of the oldest notification that has not ended; 0 when there is none."""
        self._book.set(c.OLDEST_OPEN, seconds, channel)

    def poison(self, topic: str, n: int = 1) -> None:
        self._book.add(c.POISON, n, topic)

    def republished(self, kind: str, n: int = 1) -> None:
        self._book.add(c.REPUBLISHED, n, kind)

    def cleaned(self, kind: str, n: int) -> None:
        self._book.add(c.CLEANED, n, kind)

    def archived(self, n: int) -> None:
        self._book.add(c.ARCHIVED, n)

    # --------------------------------------------------------------------------------------------- the reconciliation

    def reconciled(self, accepted: int, final: int) -> None:
        """As the gateway's own tables say."""
        self._book.set(c.RECONCILED_ACCEPTED, accepted)
        self._book.set(c.RECONCILED_FINAL, final)

    def open_now(self, count: int) -> None:
        """As intake's own table says."""
        self._book.set(c.RECONCILED_OPEN, count)

    def lost(self, count: int) -> None:
        """Accounted for by nobody; 0 in a healthy house."""
        self._book.set(c.RECONCILED_LOST, count)

    # ---------------------------------------------------------------------------------------------------- the senders

    def provider_open(self, channel: str, provider: str, is_open: bool) -> None:
        """1 while it is given all there is; 0 while it is shut, or another one is preferred."""
        self._book.set(c.PROVIDER_OPEN, int(is_open), channel, provider)

    def provider_state(self, channel: str, provider: str, state: str) -> None:
        for one in PROVIDER_STATES:
            self._book.set(c.PROVIDER_STATE, int(one == state), channel, provider, one)

    def answered(self, channel: str, provider: str, answer: str, n: int = 1) -> None:
        self._book.add(c.PROVIDER_ANSWERS, n, channel, provider, answer)

    def answered_in(self, channel: str, provider: str, seconds: Iterable[float]) -> None:
        self._book.spread(c.PROVIDER_SECONDS, channel, provider).put(seconds)

    def budget_left(self, channel: str, provider: str, per: str, parts: int) -> None:
        self._book.set(c.BUDGET_LEFT, parts, channel, provider, per)

    def unknown(self, channel: str, n: int = 1) -> None:
        self._book.add(c.UNKNOWN, n, channel)

    def in_flight(self, channel: str, lane: str, count: int) -> None:
        self._book.set(c.IN_FLIGHT, count, channel, lane)

    def waiting(self, channel: str, step: str, count: int) -> None:
        self._book.set(c.WAITING, count, channel, step)

    # ----------------------------------------------------------------------------------------------------------- time

    def fired(self, kind: str, n: int = 1) -> None:
        self._book.add(c.FIRED, n, kind)

    def fired_late(self, kind: str, seconds: Iterable[float]) -> None:
        """How long after its planned instant each fired; never negative."""
        self._book.spread(c.TIMER_LATENESS, kind).put(seconds)

    def timers_pending(self, kind: str, count: int) -> None:
        self._book.set(c.TIMERS_PENDING, count, kind)

    def job(self, kind: str, *, failed: bool, late: float) -> None:
        """How its last run ended, and for how many seconds it should have begun or ended."""
        self._book.set(c.JOB_FAILED, int(failed), kind)
        self._book.set(c.JOB_LATE, late, kind)

    def timers_overdue(self, kind: str, count: int) -> None:
        self._book.set(c.TIMERS_OVERDUE, count, kind)

    def catching_up(self, group: str, partitions: int) -> None:
        """How many this consumer group has still to read again before time goes on (P9)."""
        self._book.set(c.CATCHING_UP, partitions, group)

    # ----------------------------------------------------------------------------------------------- stages and queues

    def batch(self, stage: str, records: int, seconds: float) -> None:
        """A stage is done with a batch: how many records it held, how long it took from poll to commit."""
        self._book.add(c.STAGE_RECORDS, records, stage)
        self._book.spread(c.STAGE_BATCH, stage).put([records])
        self._book.spread(c.STAGE_SECONDS, stage).put([seconds])

    def batch_failed(self, stage: str) -> None:
        self._book.add(c.STAGE_FAILURES, 1, stage)

    def lag(self, group: str, topic: str, records: int) -> None:
        self._book.set(c.LAG, records, group, topic)

    def outbox_pending(self, kind: str, count: int) -> None:
        self._book.set(c.OUTBOX, count, kind)

    def queued(self, count: int) -> None:
        self._book.set(c.QUEUE, count)

    def streams_open(self, count: int) -> None:
        self._book.set(c.STREAMS, count)

    def stream_ended(self, code: int) -> None:
        self._book.add(c.STREAM_ENDS, 1, str(code))

    def webhook(self, outcome: str) -> None:
        """An attempt: delivered, retried, failed (for good) or gone (410)."""
        self._book.add(c.WEBHOOKS, 1, outcome)

    def webhook_disabled(self) -> None:
        self._book.add(c.WEBHOOKS_DISABLED, 1)

    def webhooks_pending(self, count: int) -> None:
        self._book.set(c.WEBHOOKS_PENDING, count)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route` as the API writes it, without what stands in the place of its parameters."""
        self._book.add(c.HTTP, 1, method, route, str(status))
        self._book.spread(c.HTTP_SECONDS, method, route).put([seconds])

    def alerts(self, fate: str, n: int) -> None:
        self._book.add(c.ALERTS, n, fate)

    # ---------------------------------------------------------------------------------------------------- the process

    def pool(self, name: str, busy: int, idle: int, most: int) -> None:
        self._book.set(c.POOL, busy, name, "busy")
        self._book.set(c.POOL, idle, name, "idle")
        self._book.set(c.POOL_MOST, most, name)

    def loop_delayed(self, seconds: float) -> None:
        self._book.spread(c.LOOP_DELAY).put([seconds])

    def _spread(self, figure: Figure, values: Sequence[float], traces: Traces, *labels: str) -> None:
        spread = self._book.spread(figure, *labels)
        spread.put(values)
        for value, trace_id in traces:
            spread.remember(value, trace_id)


def _version() -> str:
    """Of the installed package; a copy that was never installed has none."""
    try:
        return version("tocsin")
    except PackageNotFoundError:
        return "unknown"
