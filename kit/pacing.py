"""How many messages a batch takes: few while urgent ones come, since those wait for it; many while none do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from contracts.status import Lane
from contracts.topics import BY_NAME
from kit.bus.record import Received

QUIET: Final = 2.0
"""Seconds without anything urgent after which batches grow: who sends one password code soon sends another."""


@dataclass(slots=True)
class Growing:
    """`few` at once, or `many` while nothing urgent was read for `QUIET` seconds. What a batch costs beside its
    messages (round trips, a commit, an answer of Kafka) is shared by more of them then."""

    few: int
    many: int
    _urgent_at: float = field(default=float("-inf"), init=False)

    def limit(self, now: float) -> int:
        """The most for the next batch; `now` in seconds by the monotonic clock."""
        return self.many if now - self._urgent_at >= QUIET else self.few

    def came(self, records: Sequence[Received], now: float) -> None:
        """A batch comes from one lane."""
        if records and BY_NAME[records[0].topic].lane is Lane.URGENT:
            self._urgent_at = now
