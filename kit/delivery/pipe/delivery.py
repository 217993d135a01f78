"""One `due` on its way through a sender."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from contracts.events import COMMON, Due, OfNotification
from contracts.trace import id_of
from kit.delivery.pace.pace import Fare
from kit.delivery.pipe.outlet import Outlet
from kit.delivery.pipe.route import Route
from kit.delivery.rules import NO_PAST, Attempt, Conclusion, Past
from kit.engine import Ticket

_COMMON: Final = set(COMMON)


@dataclass(slots=True, eq=False)
class Delivery:
    """What came, what is claimed for it, what became of it.

    The token is drawn once, so that a claim whose commit was not acknowledged is recognised as ours (P5.1);
    `perhaps_claimed` says that there may be such a one. `outlet` is the one of its route that was chosen last, `fare`
    what the pace of its provider allowed it. `lease_ends` is in our own monotonic seconds; `late` is how long after its
    planned instant the first attempt was made, `took` how long its provider took to answer, `began` when it came here,
    for its trace.
    """

    ticket: Ticket
    due: Due
    route: Route["Delivery"]
    outlet: Outlet
    token: UUID = field(default_factory=uuid4)
    past: Past = NO_PAST
    attempt: Attempt | None = None
    lease_ends: float = 0.0
    perhaps_claimed: bool = False
    late: float | None = None
    took: float | None = None
    fare: Fare | None = None
    conclusion: Conclusion | None = None
    began: int = 0

    @property
    def parts(self) -> int:
        """What a pace counts."""
        return self.outlet.pace.parts_of(self.due)

    @property
    def urgent(self) -> bool:
        """Came by the lane that is never paused."""
        return self.ticket.rank == 0

    @property
    def wanted_at(self) -> datetime:
        """The instant from which on it could be sent: its planned one, or that of its acceptance. A retry keeps it."""
        return max(self.due.at, self.due.accepted_at)

    @property
    def trace_id(self) -> str | None:
        """Of the trace that it belongs to, if it does to one."""
        return id_of(self.due.trace) if self.due.trace else None

    @property
    def about(self) -> str:
        """What its claim keeps about it."""
        return about(self.due)

    @property
    def fresh(self) -> bool:
        """Comes for the first time, as far as itself knows; the claims know better."""
        return self.due.try_ == 1 and self.due.end is None and not self.perhaps_claimed

    @property
    def surely_claimed(self) -> bool:
        """The database said that the claim is ours."""
        return self.perhaps_claimed and self.attempt is not None

    def unclaimed(self) -> None:
        """Its claim is surely gone."""
        self.attempt = None
        self.perhaps_claimed = False


def about(event: OfNotification) -> str:
    """JSON of the fields that every event of its notification carries."""
    return event.model_dump_json(include=_COMMON, exclude_none=True)


class DatabaseClock:
    """tocsin.clock() between two questions: what it said last, and how long ago. Our own time of day is not asked."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic
        self._said: datetime | None = None
        self._at = 0.0

    def heard(self, now: datetime, asked_at: float) -> None:
        """The database's answer to a question that was asked at `asked_at`."""
        self._said, self._at = now, asked_at

    @property
    def is_set(self) -> bool:
        """Once it heard an answer."""
        return self._said is not None

    def now(self) -> datetime:
        """Never behind the database's."""
        return self.in_seconds(0.0)

    def in_seconds(self, seconds: float) -> datetime:
        """That long from now."""
        assert self._said is not None, "nothing is handed over before the claims were read"
        return self._said + timedelta(seconds=self.monotonic() - self._at + seconds)
