"""What is called back about a hand-over, and which of it is further: rules, without I/O (P5.9)."""

from datetime import datetime
from typing import NamedTuple

from contracts.suppression import Cause
from kit.delivery.rules import Result


class CalledBack(NamedTuple):
    """What a receipt makes of a message that was handed over; `suppress`: why nothing is to go to its address any more.

    `SENT` says that the provider has it, which is news only where nobody knew (P5.9).
    """

    result: Result
    suppress: Cause | None = None


class Callbacks(NamedTuple):
    """All that was called back about one hand-over; `provider_id`: what the provider calls the message."""

    result: Result
    received_at: datetime
    detail: str | None = None
    suppress: str | None = None
    provider_id: str | None = None

    def and_then(self, other: "Callbacks") -> "Callbacks":
        """Both together, whichever came first: the further one, and beside it what blames the address (P5.9). Of two
        that blame it, always the same one."""
        causes = sorted(filter(None, (self.suppress, other.suppress)))
        further = other if other._weight > self._weight else self
        return further._replace(
            suppress=causes[-1] if causes else None, provider_id=self.provider_id or other.provider_id
        )

    @property
    def _weight(self) -> tuple[int, bool]:
        return self.result.rank, self.suppress is not None
