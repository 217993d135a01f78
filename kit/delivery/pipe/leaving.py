"""The way back: who turns away after a claim deletes it under its token, and only then waits or goes (P5.1, P5.5)."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol
from uuid import uuid4

from contracts.events import Event
from kit import logs
from kit.delivery import events
from kit.delivery.pace.pace import refund
from kit.delivery.pipe.delivery import DatabaseClock, Delivery
from kit.delivery.store import claims
from kit.postgres import Connection, Database, fate

AGAIN_SECONDS: Final = 0.5
SOON: Final = 5.0
FEW: Final = 50
"""So many urgent ones may wait here for so many seconds: not so many that the lane would be full of them."""
PACED: Final = "paced"
"""As a reason to hold: the provider is given no more for now."""

log = logs.get(__name__)


class Ways(Protocol):
    """Where deliveries go from here."""

    def say(self, delivery: Delivery, event: Event) -> None: ...
    def again(self, deliveries: list[Delivery]) -> None: ...
    def leave_later(self, seconds: float, deliveries: list[Delivery]) -> None: ...


async def unclaim(connection: Connection, claimed: Sequence[Delivery]) -> None:
    """P5.1: none of their claims is there any more, and no statement that is still on its way makes one."""
    if sure := [(one.due.id, one.token) for one in claimed if one.surely_claimed]:
        await claims.unclaim(connection, sure)
    if unsure := [one for one in claimed if not one.surely_claimed]:
        await claims.turn_away(connection, [(one.due.id, one.due.try_, one.token) for one in unsure])
        for one in unsure:
            one.token = uuid4()  # should it come back, it is somebody else


def paced(one: Delivery, clock: DatabaseClock) -> Event:
    """It comes back when it is its turn by the pace of its provider; the same try, no attempt is used (P5.4)."""
    pace = one.outlet.pace
    shut = pace.shut(urgent=one.urgent)
    return events.hold(
        one.due,
        clock.in_seconds(max(pace.turn(one.parts, urgent=one.urgent), 1.0)),
        PACED,
        attempt=one.past.attempts,
        unknown=one.past.unknown,
        detail=shut.words if shut else None,
    )


class Leaving:
    """Nothing of these was handed over."""

    def __init__(self, database: Database, clock: DatabaseClock, draw: Callable[[], float], ways: Ways) -> None:
        self._database = database
        self._clock = clock
        self._draw = draw
        self._ways = ways

    async def work(self, batch: list[Delivery]) -> None:
        """Unclaimed first; then each goes where it can: to its next owner, back into the queue, or to wait."""
        claimed = [one for one in batch if one.perhaps_claimed]
        try:
            if claimed:
                async with self._database.connection() as connection:
                    await unclaim(connection, claimed)
        except Exception as error:
            if fate(error) != "connection":
                log.error("not_unclaimed", exc_info=error)
            self._ways.leave_later(AGAIN_SECONDS, batch)
            return
        for one in batch:
            one.unclaimed()
            self.go(one)

    def go(self, one: Delivery) -> None:
        """Unclaimed, and on its way."""
        if one.ticket.wanted and one.route.admits:
            self._ways.again([one])
        else:
            self.wait(one)

    def wait(self, one: Delivery) -> None:
        """P5.4: in a lane that is paused meanwhile; only the urgent one, which never is, waits through `retry`, but for
        a few that a pace lets go in a moment."""
        refund(one)
        if not one.ticket.wanted:
            one.ticket.release()
        elif one.urgent and not self._goes_soon(one):
            self._ways.say(one, self._hold(one))
        else:
            one.route.waiting.append(one)

    def _goes_soon(self, one: Delivery) -> bool:
        pace, waiting = one.outlet.pace, one.route.waiting
        if not one.route.takes(one.outlet) or not pace.limits or waiting.of_rank(one.ticket.rank) >= FEW:
            return False
        shut = pace.shut(urgent=True)
        return shut is None or shut.until - self._clock.monotonic() < SOON

    def _hold(self, one: Delivery) -> Event:
        """Until then and up to half as long again: those who are held together do not come back together."""
        gate = one.outlet.gate
        if one.route.takes(one.outlet) and one.outlet.pace.shut(urgent=True):
            return paced(one, self._clock)
        return events.hold(
            one.due,
            self._clock.in_seconds(gate.seconds * (1 + self._draw() / 2)),
            gate.why or "",
            attempt=one.past.attempts,
            unknown=one.past.unknown,
            detail=gate.detail,
        )
