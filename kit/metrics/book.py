"""Where the figures of a service stand until somebody asks for them: plain numbers, written without a lock or a copy.

The event loop counts and the event loop answers, so that nothing here is touched by two at once; prometheus-client
says it in the formats of Prometheus.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from kit import logs
from kit.metrics.bounded import Bounded
from kit.metrics.distribution import Distribution
from kit.metrics.figure import Figure

log = logs.get(__name__)

Values: TypeAlias = tuple[str, ...]
"""Of the labels of a figure, in their order."""


class Book(Collector):
    """Counts what it is told; shows `figures`. One without labels is there from the beginning, at 0."""

    def __init__(self, figures: Iterable[Figure]) -> None:
        self._figures = tuple(figures)
        self._bounded = Bounded()
        self._numbers: dict[Figure, dict[Values, float]] = defaultdict(dict)
        self._spread: dict[Figure, dict[Values, Distribution]] = defaultdict(dict)
        self._readings: list[Callable[[], None]] = []
        for figure in self._figures:
            if not figure.labels and figure.kind == "histogram":
                self.spread(figure)
            elif not figure.labels:
                self.add(figure, 0)

    def add(self, figure: Figure, n: float, *labels: str) -> None:
        """So many more."""
        numbers = self._numbers[figure]
        key = labels if labels in numbers else self._key(figure, labels)
        numbers[key] = numbers.get(key, 0) + n

    def set(self, figure: Figure, value: float, *labels: str) -> None:
        """It is so many now."""
        self._numbers[figure][self._key(figure, labels)] = value

    def spread(self, figure: Figure, *labels: str) -> Distribution:
        """Where to put what came."""
        there = self._spread[figure]
        key = labels if labels in there else self._key(figure, labels)
        if key not in there:
            there[key] = Distribution(figure.buckets)
        return there[key]

    def when_read(self, reading: Callable[[], None]) -> None:
        """Sets gauges that are only worth setting when somebody looks; at once, and without waiting for anybody."""
        self._readings.append(reading)

    def collect(self) -> Iterator[Metric]:
        """For prometheus-client."""
        for reading in self._readings:
            _read(reading)
        return map(self._family, self._figures)

    def _key(self, figure: Figure, labels: Values) -> Values:
        if len(labels) != len(figure.labels):
            raise ValueError(f"{figure.name} has the labels {figure.labels}, not {len(labels)}")
        return tuple(map(self._bounded, figure.labels, labels))

    def _family(self, figure: Figure) -> Metric:
        about = figure.family, figure.sentence + "."
        match figure.kind:
            case "counter":
                counter = CounterMetricFamily(*about, labels=figure.labels)
                for key, n in self._numbers[figure].items():
                    counter.add_metric(key, n)
                return counter
            case "gauge":
                gauge = GaugeMetricFamily(*about, labels=figure.labels)
                for key, n in self._numbers[figure].items():
                    gauge.add_metric(key, n)
                return gauge
            case "info":
                info = InfoMetricFamily(*about)
                for key in self._numbers[figure]:
                    info.add_metric((), dict(zip(figure.labels, key, strict=True)))
                return info
            case "histogram":
                histogram = HistogramMetricFamily(*about, labels=figure.labels)
                for key, one in self._spread[figure].items():
                    histogram.add_metric(key, one.buckets, one.sum)
                return histogram


def _read(reading: Callable[[], None]) -> None:
    """What cannot be read now keeps its value, and hides no other."""
    try:
        reading()
    except Exception:
        log.exception("figure_not_read")
