"""Simulator addresses are played inside the house, on every installation: nothing leaves it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from contracts.addresses import simulator
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Outcome, Unavailable, Unknown
from kit.delivery.provider import Answer, Parcel
from kit.delivery.rules import UNKNOWN_OUTCOME

NAME: Final = "simulator"
SLOW_SECONDS: Final = 2.0
BOUNCE: Final = "bounce"
DELIVERED: Final = Answer("delivered", "simulated: it arrived")
UNDELIVERED: Final = Answer("undelivered", "simulated: no such recipient")

Measure = Callable[[str], tuple[str | None, int | None]]
"""The encoding and the parts of a text, where a channel has such."""


def _no_parts(_text: str) -> tuple[None, None]:
    return None, None


class Simulator:
    """`delivered@`, `bounce@`, `slow@`, `unavailable@` and `unknown@simulator.test`, and the numbers like them.

    What was taken tells what became of it when it is asked (`Askable`), a moment later, as real ones call back:
    `bounce` comes back, the others arrive. Nobody's address is suppressed for that.
    """

    name = NAME
    timeout = SLOW_SECONDS + 1.0
    ask_after: Sequence[float] = (1.0, 5.0, 60.0, 3600.0)
    asks_per_second = 500

    def __init__(self, measure: Measure = _no_parts) -> None:
        self._measure = measure

    def plays(self, address: str | None) -> bool:
        """Whether this address is ours."""
        return address is not None and simulator(address) is not None

    async def hand_over(self, parcel: Parcel) -> Outcome:
        match fate := simulator(parcel.to):
            case "unavailable":
                return Unavailable(PROVIDER_UNAVAILABLE, "451 4.3.2 simulated: unavailable")
            case "unknown":
                return Unknown(UNKNOWN_OUTCOME, "simulated: no answer")
            case "slow":
                await asyncio.sleep(SLOW_SECONDS)
        encoding, parts = self._measure(parcel.content.text or "")
        return Accepted(f"simulated-{fate}-{parcel.due.id}-{parcel.try_}", segments=parts, encoding=encoding)

    async def became(self, provider_id: str) -> Answer | None:
        """The fate stands in the name that it was given."""
        return UNDELIVERED if provider_id.startswith(f"simulated-{BOUNCE}-") else DELIVERED
