"""How values are spread over buckets: a whole batch is put in by one call, with a trace to look at in each bucket."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TypeAlias

from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

Buckets: TypeAlias = Sequence[tuple[str, float] | tuple[str, float, Exemplar]]


class Distribution:
    """One series of a histogram. `bounds` are the buckets' upper ends, without the infinite one."""

    __slots__ = ("_bounds", "_counts", "_seen", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._seen: dict[int, tuple[float, str]] = {}
        self.sum = 0.0

    def put(self, values: Iterable[float]) -> None:
        """Those came."""
        bounds, counts = self._bounds, self._counts
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            self.sum += value

    def remember(self, value: float, trace_id: str) -> None:
        """An example of its bucket: the newest is shown. Counts nothing."""
        self._seen[bisect_left(self._bounds, value)] = value, trace_id

    @property
    def buckets(self) -> Buckets:
        """(upper end, how many up to there), and an example where there is one."""
        ends = [*map(floatToGoString, self._bounds), "+Inf"]
        counts = zip(ends, accumulate(self._counts), strict=True)
        return [(*one, self._example(at)) if at in self._seen else one for at, one in enumerate(counts)]

    def _example(self, at: int) -> Exemplar:
        value, trace_id = self._seen[at]
        return Exemplar({"trace_id": trace_id}, value)
