"""What a service counts about itself, in the form Prometheus reads."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

OTHER: Final = "other"
MOST_VALUES: Final = 60

LATENESS_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0)
BATCH_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
BATCH_RECORDS: Final = (1, 10, 50, 100, 250, 500, 1000, 2000)


class Metrics:
    """The figures of one service on a registry of its own; each method is one thing that happened, `n` times.

    Label values are bounded: a name beyond the first sixty of its label counts as `other`, so that no input can make
    the number of series grow. An id or an address is never a label.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._values: dict[str, set[str]] = {}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._accepted = self._counter("notifications_accepted", "Requests accepted", "channel", "lane")
        self._due = self._counter("notifications_due", "Notifications handed to a sender", "channel", "lane")
        self._sent = self._counter("notifications_sent", "Taken by a provider", "channel", "provider")
        self._failed = self._counter("notifications_failed", "Ended without being sent", "channel", "reason")
        self._retries = self._counter("notifications_retries", "Attempts put off to a later time", "channel", "reason")
        self._copies = self._counter("notifications_copies_flagged", "Sent again where a copy is possible", "channel")
        self._provider_open = self._gauge(
            "provider_open", "Whether a provider is given all it can take", "channel", "provider"
        )
        self._unknown = self._counter("claims_unknown", "Hand-overs of which nobody knows the outcome", "channel")
        self._poison = self._counter("poison_records", "Records nobody can read", "topic")
        self._republished = self._counter("sweep_republished", "Events the sweep published again", "kind")
        self._stage_records = self._counter("stage_records", "Records a stage has done with", "stage")
        self._stage_failures = self._counter("stage_failed_batches", "Batches a stage had to do again", "stage")
        self._fired = self._counter("timers_fired", "Timers fired", "kind")
        self._lateness = self._histogram(
            "notification_lateness_seconds", "From the planned instant to the hand-over", LATENESS_SECONDS, "channel"
        )
        self._timer_lateness = self._histogram(
            "timer_lateness_seconds", "From the planned instant to the firing", LATENESS_SECONDS, "kind"
        )
        self._batch_seconds = self._histogram("stage_batch_seconds", "From poll to commit", BATCH_SECONDS, "stage")
        self._batch_records = self._histogram("stage_batch_records", "Records in a batch", BATCH_RECORDS, "stage")
        self._lag = self._gauge("consumer_lag_records", "Records not yet done with", "group", "topic")
        self._oldest_open = self._gauge("oldest_open_age_seconds", "Age of the oldest open notification", "channel")
        self._timers = self._gauge("timers_pending", "Things that wait for their time", "kind")
        self._overdue = self._gauge("timers_overdue", "Things that are more than a second late", "kind")
        self._outbox = self._gauge("outbox_pending", "Requests the judge has not answered", "kind")
        self._streams = self._gauge("streams_open", "Connections that are told what happens")
        self._stream_ends = self._counter("streams_ended", "Connections that were closed from here", "code")
        self._in_flight = self._gauge("deliveries_in_flight", "Deliveries under way", "channel", "lane")

    def accepted(self, channel: str, lane: str, n: int = 1) -> None:
        self._accepted.labels(self._of("channel", channel), self._of("lane", lane)).inc(n)

    def due(self, channel: str, lane: str, n: int = 1) -> None:
        self._due.labels(self._of("channel", channel), self._of("lane", lane)).inc(n)

    def sent(self, channel: str, provider: str, n: int = 1) -> None:
        self._sent.labels(self._of("channel", channel), self._of("provider", provider)).inc(n)

    def failed(self, channel: str, reason: str, n: int = 1) -> None:
        self._failed.labels(self._of("channel", channel), self._of("reason", reason)).inc(n)

    def retried(self, channel: str, reason: str, n: int = 1) -> None:
        self._retries.labels(self._of("channel", channel), self._of("reason", reason)).inc(n)

    def copy_flagged(self, channel: str, n: int = 1) -> None:
        self._copies.labels(self._of("channel", channel)).inc(n)

    def unknown(self, channel: str, n: int = 1) -> None:
        self._unknown.labels(self._of("channel", channel)).inc(n)

    def provider_open(self, channel: str, provider: str, is_open: bool) -> None:
        """1 while it is given all there is; 0 while it is shut, or another one is preferred."""
        self._provider_open.labels(self._of("channel", channel), self._of("provider", provider)).set(int(is_open))

    def late(self, channel: str, seconds: Iterable[float]) -> None:
        """How long after its planned instant each was handed over; never negative, for a reminder is never early."""
        lateness = self._lateness.labels(self._of("channel", channel))
        for one in seconds:
            lateness.observe(one)

    def poison(self, topic: str, n: int = 1) -> None:
        self._poison.labels(self._of("topic", topic)).inc(n)

    def republished(self, kind: str, n: int = 1) -> None:
        self._republished.labels(self._of("kind", kind)).inc(n)

    def batch(self, stage: str, records: int, seconds: float) -> None:
        """A stage is done with a batch: how many records it held, how long it took from poll to commit."""
        name = self._of("stage", stage)
        self._stage_records.labels(name).inc(records)
        self._batch_records.labels(name).observe(records)
        self._batch_seconds.labels(name).observe(seconds)

    def batch_failed(self, stage: str) -> None:
        self._stage_failures.labels(self._of("stage", stage)).inc()

    def fired(self, kind: str, n: int = 1) -> None:
        self._fired.labels(self._of("kind", kind)).inc(n)

    def fired_late(self, kind: str, seconds: Iterable[float]) -> None:
        """How long after its planned instant each fired; never negative."""
        lateness = self._timer_lateness.labels(self._of("kind", kind))
        for one in seconds:
            lateness.observe(one)

    def lag(self, group: str, topic: str, records: int) -> None:
        self._lag.labels(self._of("group", group), self._of("topic", topic)).set(records)

    def oldest_open(self, channel: str, seconds: float) -> None:
        """Age of the oldest notification that has not ended; 0 when there is none."""
        self._oldest_open.labels(self._of("channel", channel)).set(seconds)

    def timers_pending(self, kind: str, count: int) -> None:
        self._timers.labels(self._of("kind", kind)).set(count)

    def timers_overdue(self, kind: str, count: int) -> None:
        self._overdue.labels(self._of("kind", kind)).set(count)

    def outbox_pending(self, kind: str, count: int) -> None:
        self._outbox.labels(self._of("kind", kind)).set(count)

    def in_flight(self, channel: str, lane: str, count: int) -> None:
        self._in_flight.labels(self._of("channel", channel), self._of("lane", lane)).set(count)

    def streams_open(self, count: int) -> None:
        self._streams.set(count)

    def stream_ended(self, code: int) -> None:
        self._stream_ends.labels(self._of("code", str(code))).inc()

    def _of(self, label: str, value: str) -> str:
        known = self._values.setdefault(label, set())
        if value in known:
            return value
        if len(known) >= MOST_VALUES:
            return OTHER
        known.add(value)
        return value

    def _counter(self, name: str, sentence: str, *labels: str) -> Counter:
        return Counter(f"tocsin_{name}", sentence, labels, registry=self.registry)

    def _gauge(self, name: str, sentence: str, *labels: str) -> Gauge:
        return Gauge(f"tocsin_{name}", sentence, labels, registry=self.registry)

    def _histogram(self, name: str, sentence: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"tocsin_{name}", sentence, labels, buckets=buckets, registry=self.registry)
