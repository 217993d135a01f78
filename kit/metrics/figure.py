"""What a figure is: a name with its unit, what it counts, by which labels, and which services have it."""

from dataclasses import dataclass
from typing import Final, Literal

from contracts.topics import SENDERS, SERVICES

PREFIX: Final = "tocsin_"

Kind = Literal["counter", "gauge", "histogram", "info"]

EVERYWHERE: Final = SERVICES
GATEWAY: Final = ("gateway",)
INTAKE: Final = ("intake",)
SCHEDULER: Final = ("scheduler",)
WHO_SENDS: Final = (*SENDERS, "gateway")

SUFFIX: Final[dict[str, str]] = {"counter": "_total", "info": "_info"}


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """One line of the table. `name` is without the prefix, and without the `_total` of a counter.

    `unit` is a word for people; a unit that Prometheus has (seconds) is in the name. `buckets` of a histogram are its
    upper bounds, without the infinite one.
    """

    name: str
    kind: Kind
    sentence: str
    unit: str
    services: tuple[str, ...]
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def family(self) -> str:
        """As the client's library names it."""
        return PREFIX + self.name

    @property
    def shown(self) -> str:
        """As a query names it; a histogram has `_bucket`, `_sum` and `_count` behind this."""
        return self.family + SUFFIX.get(self.kind, "")
