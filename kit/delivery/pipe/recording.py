"""Fourth step: what the provider said is written under the claim's own token, and then said (P5.6)."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol
from uuid import UUID

from contracts.events import Event
from contracts.status import Lane
from kit import logs
from kit.delivery import events
from kit.delivery.outcomes import Accepted, Refused, Unavailable, Unknown
from kit.delivery.pipe.counting import counted
from kit.delivery.pipe.delivery import DatabaseClock, Delivery
from kit.delivery.rules import Policy, Result, what_became
from kit.delivery.store import claims
from kit.delivery.store.awaiting import Awaited, await_receipts
from kit.delivery.store.late import accept_late
from kit.delivery.store.results import Written
from kit.failpoints import failpoint
from kit.metrics import Metrics
from kit.postgres import Connection, Database, fate

AGAIN_SECONDS: Final = 0.2

log = logs.get(__name__)


class Ways(Protocol):
    """Where deliveries go from here."""

    def say(self, delivery: Delivery, event: Event) -> None: ...
    def record_later(self, seconds: float, deliveries: list[Delivery]) -> None: ...
    def announce(self) -> None: ...


class Recording:
    """Writes results in batches, for as long as it takes: what a provider took must not be forgotten."""

    def __init__(
        self,
        database: Database,
        clock: DatabaseClock,
        policies: Callable[[Lane], Policy],
        draw: Callable[[], float],
        metrics: Metrics,
        ways: Ways,
    ) -> None:
        self._database = database
        self._clock = clock
        self._policies = policies
        self._draw = draw
        self._metrics = metrics
        self._ways = ways

    def judged(self, one: Delivery, outcome: Accepted | Refused | Unavailable | Unknown) -> Delivery:
        """With its conclusion. T is computed here, once (P5.3)."""
        assert one.attempt is not None
        policy, now = self._policies(one.due.lane), self._clock.now()
        elsewhere = isinstance(outcome, Unavailable) and _fails_over(one, outcome)
        one.conclusion = what_became(
            outcome, one.attempt, one.due, policy, now=now, draw=self._draw(), elsewhere=elsewhere
        )
        if isinstance(outcome, Unknown):
            self._metrics.unknown(one.due.channel or "")
        return one

    async def work(self, batch: list[Delivery]) -> None:
        """Recorded and said; what came too late is dropped, unless it is an acceptance."""
        try:
            async with self._database.connection() as connection:
                if awaited := [pair for one in batch if one.outlet.askable and (pair := _awaited(one))]:
                    await await_receipts(connection, awaited)
                recorded = await claims.record(connection, [_written(one) for one in batch])
                done, late = _divided(batch, recorded)
                await self._accept_late(connection, late)
        except Exception as error:
            if fate(error) != "connection":
                log.error("results_not_recorded", exc_info=error)
            self._ways.record_later(AGAIN_SECONDS, batch)
            return
        failpoint("delivery_after_result")
        counted(self._metrics, batch, self._clock.now())
        for one in done:
            self._ways.say(one, _event(one))
        for one in late:
            one.ticket.finish()

    async def _accept_late(self, connection: Connection, late: Sequence[Delivery]) -> None:
        """Whoever took over says what it found; an acceptance is news even then."""
        if accepted := [_written(one) for one in late if one.conclusion and one.conclusion.result is Result.SENT]:
            log.warning("accepted_after_the_lease", messages=len(accepted))
            await accept_late(connection, accepted)
            self._ways.announce()


def _divided(batch: list[Delivery], recorded: set[tuple[UUID, int]]) -> tuple[list[Delivery], list[Delivery]]:
    """Whose result was written, and the others: nearly always none."""
    if len(recorded) == len(batch):
        return batch, []
    done = [one for one in batch if (one.due.id, _try(one)) in recorded]
    return done, [one for one in batch if (one.due.id, _try(one)) not in recorded]


def _fails_over(one: Delivery, outcome: Unavailable) -> bool:
    """P5.3: surely not sent, and through the provider's fault; another one gets it at once. After an unknown hand-over
    never (P5.2)."""
    assert one.attempt is not None
    if not outcome.blames_provider or one.attempt.unknown:
        return False
    return one.route.another(one.outlet, one.past.failed_by, urgent=one.urgent)


def _try(one: Delivery) -> int:
    assert one.attempt is not None
    return one.attempt.try_


def _awaited(one: Delivery) -> tuple[Awaited, float] | None:
    """An acceptance of which the provider can be asked later, and in how many seconds."""
    conclusion, askable = one.conclusion, one.outlet.askable
    if askable is None or conclusion is None or conclusion.result is not Result.SENT or conclusion.provider_id is None:
        return None
    return Awaited(one.due.id, _try(one), askable.name, conclusion.provider_id), askable.ask_after[0]


def _written(one: Delivery) -> Written:
    assert one.conclusion is not None
    return Written(one.due.id, _try(one), one.token, one.conclusion, one.about, one.outlet.provider.name)


def _event(one: Delivery) -> Event:
    conclusion, attempt = one.conclusion, one.attempt
    assert conclusion is not None and attempt is not None
    if conclusion.result in (Result.RETRY, Result.UNKNOWN):
        return events.retry(
            conclusion,
            one.due,
            try_=attempt.try_,
            attempt=attempt.number,
            unknown=conclusion.unknown,
            first_at=attempt.first_at,
            provider=one.outlet.provider.name,
            instead_of=one.past.instead_of(attempt.try_, one.outlet.provider.name),
        )
    return events.outcome(
        conclusion,
        one.due.passed_on(),
        try_=attempt.try_,
        attempt=attempt.number,
        unknown=conclusion.unknown,
        provider=one.outlet.provider.name,
        instead_of=one.past.instead_of(attempt.try_, one.outlet.provider.name),
    )
