"""Third step: a claimed message is handed over while its lease surely lasts, and the provider's word is taken down."""

from typing import Final, Protocol

from kit import logs
from kit.delivery.outcomes import Accepted, Halted, Outcome, Refused, Unavailable, Unknown
from kit.delivery.pipe.delivery import DatabaseClock, Delivery
from kit.delivery.provider import Parcel
from kit.delivery.rules import UNKNOWN_OUTCOME
from kit.failpoints import failpoint
from kit.metrics import Metrics
from kit.tracing import OFF, Tracer

log = logs.get(__name__)

HALTED: Final = "halted"
"""As an answer: the provider takes nothing at all. It counts as no attempt, and none of its seconds count."""
BROKEN: Final = Unknown(UNKNOWN_OUTCOME, "the provider's client failed")


class Ways(Protocol):
    """Where deliveries go from here."""

    def record(self, delivery: Delivery, outcome: Accepted | Refused | Unavailable | Unknown) -> None: ...
    def leave(self, deliveries: list[Delivery]) -> None: ...


class Handing:
    """What one hand does with one delivery."""

    def __init__(self, clock: DatabaseClock, metrics: Metrics, ways: Ways, tracer: Tracer = OFF) -> None:
        self._clock = clock
        self._metrics = metrics
        self._ways = ways
        self._tracer = tracer

    async def give(self, one: Delivery) -> None:
        """P5.5: nothing is begun that is not wanted any more, or whose lease might end before its answer comes,
        or that waited so long for a hand that its pace allows it no more."""
        gate, pace, provider = one.outlet.gate, one.outlet.pace, one.outlet.provider
        begun = self._clock.monotonic()
        in_time = one.lease_ends - begun > provider.timeout and pace.allows(one)
        if not one.ticket.wanted or not in_time or (entered := one.route.enter(one.outlet)) is None:
            self._ways.leave([one])
            return
        refund, began = pace.pay(one), self._tracer.now()
        outcome = await self._handed_over(one)
        one.took = self._clock.monotonic() - begun
        if began:
            why = "" if isinstance(outcome, Accepted) else type(outcome).__name__.lower()
            self._tracer.done("send", [(one.due.id, one.due.trace)], began, "client", why, provider=provider.name)
        gate.leave(entered, outcome, begun)
        if isinstance(outcome, Halted):
            self._metrics.answered(one.due.channel or "", provider.name, HALTED)
            refund()
            self._ways.leave([one])
        else:
            self._ways.record(one, outcome)

    async def _handed_over(self, one: Delivery) -> Outcome:
        attempt = one.attempt
        assert attempt is not None, "claimed before it is carried"
        if attempt.number == 1:
            one.late = max((self._clock.now() - one.due.at).total_seconds(), 0.0)
        if attempt.unknown:
            self._metrics.copy_flagged(one.due.channel or "")
        try:
            outcome = await one.outlet.provider.hand_over(Parcel(one.due, attempt.try_, attempt.unknown > 0))
        except Exception:
            log.exception("provider_failed", provider=one.outlet.provider.name, id=str(one.due.id))
            return BROKEN
        if isinstance(outcome, Accepted):
            failpoint("provider_accepted")
        return outcome
