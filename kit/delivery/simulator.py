"""Simulator addresses are played inside the house, on every installation: nothing leaves it."""

import asyncio
from typing import Final

from contracts.addresses import simulator
from kit.delivery.outcomes import Accepted, Outcome, Refused, Unavailable, Unknown
from kit.delivery.provider import Parcel
from kit.delivery.rules import UNKNOWN_OUTCOME

NAME: Final = "simulator"
SLOW_SECONDS: Final = 2.0


class Simulator:
    """`delivered@`, `bounce@`, `slow@`, `unavailable@` and `unknown@simulator.test`, and the numbers like them."""

    name = NAME
    timeout = SLOW_SECONDS + 1.0

    def plays(self, address: str | None) -> bool:
        """Whether this address is ours."""
        return address is not None and simulator(address) is not None

    async def hand_over(self, parcel: Parcel) -> Outcome:
        match simulator(parcel.to):
            case "bounce":
                return Refused("recipient_refused", "550 5.1.1 simulated: no such recipient")
            case "unavailable":
                return Unavailable("provider_unavailable", "451 4.3.2 simulated: unavailable")
            case "unknown":
                return Unknown(UNKNOWN_OUTCOME, "simulated: no answer")
            case "slow":
                await asyncio.sleep(SLOW_SECONDS)
        return Accepted(provider_id=f"simulated-{parcel.due.id}-{parcel.try_}")
