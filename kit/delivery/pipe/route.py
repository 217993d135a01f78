"""The ways out for one kind of address, the preferred one first: who gets a batch, and who gets one to see (P5.10)."""

from collections.abc import Collection, Sequence
from math import inf
from typing import Final, Generic, Protocol, TypeVar

from kit.delivery.gate import Pass
from kit.delivery.pipe.outlet import Outlet
from kit.delivery.pipe.waiting import Waiting
from kit.engine import Ticket

URGENT_AFTER: Final = 30.0
"""Seconds for which nobody else tried an ailing provider until an urgent one does, where it has a better one."""


class Routed(Protocol):
    """What takes a way out. `outlet` is what was chosen last."""

    ticket: Ticket
    outlet: Outlet

    @property
    def urgent(self) -> bool: ...


T = TypeVar("T", bound=Routed)


class Route(Generic[T]):
    """Here a provider is chosen, for a batch at a time.

    `waiting`: held, unclaimed, of lanes that are paused meanwhile.
    """

    def __init__(self, outlets: Sequence[Outlet]) -> None:
        self.outlets = tuple(outlets)
        self.waiting = Waiting[T]()

    # ---------------------------------------------------------------------------------------------------- for a batch

    def assign(self, batch: Sequence[T], *, urgent: bool) -> None:
        """Gives all of them their outlet: the first that is open, and one each to those that could be seen to again."""
        chosen = self.choose(urgent=urgent)
        for one in batch:
            one.outlet = chosen
        for one, outlet in zip(reversed(batch), self._to_be_seen(chosen, urgent=urgent), strict=False):
            one.outlet = outlet

    def choose(self, avoiding: Collection[str] = (), *, urgent: bool = False) -> Outlet:
        """The first that is open, better one whose day is not used up; else one that is better than nothing; else the
        one that opens soonest.

        `avoiding` are names of providers that failed this very message, if there is any other that is open.
        """
        opened = [outlet for outlet in self.outlets if outlet.gate.is_open]
        usable = [outlet for outlet in opened if outlet.is_open(urgent=urgent)] or opened
        usable = [outlet for outlet in usable if outlet.provider.name not in avoiding] or usable
        usable = usable or [outlet for outlet in self.outlets if outlet.gate.serves_in_need]
        return usable[0] if usable else min(self.outlets, key=lambda outlet: (-outlet.gate.admits, outlet.gate.seconds))

    def _to_be_seen(self, chosen: Outlet, *, urgent: bool) -> list[Outlet]:
        """Those that are preferred to `chosen`, and have rested. An urgent message is risked for that only late."""
        if not chosen.position and chosen.gate.is_open:
            return []
        late = URGENT_AFTER if urgent and chosen.gate.is_open else 0.0
        before = self.outlets[: chosen.position] if chosen.gate.is_open else self.outlets
        rested = [one for one in before if not one.gate.is_open and one.gate.admits and one.gate.overdue >= late]
        return [one for one in rested if not one.pace.used_up(urgent=urgent)]

    # ------------------------------------------------------------------------------------------------- for one message

    def named(self, provider: str) -> Outlet | None:
        """The one that has this name; None where the settings name it no more."""
        return next((outlet for outlet in self.outlets if outlet.provider.name == provider), None)

    def another(self, than: Outlet, avoiding: Collection[str], *, urgent: bool = False) -> bool:
        """Whether there is one that is open and has not failed this message yet."""
        return any(
            outlet is not than and outlet.is_open(urgent=urgent) and outlet.provider.name not in avoiding
            for outlet in self.outlets
        )

    def enter(self, outlet: Outlet) -> Pass | None:
        """A pass for one message. Whoever gets one reports by `outlet.gate.leave`."""
        gate = outlet.gate
        return gate.enter() or (gate.enter_in_need() if self.is_in_need else None)

    # --------------------------------------------------------------------------------------------------- for all of us

    def takes(self, outlet: Outlet) -> bool:
        """Whether the ordinary course may lead there now."""
        return outlet.gate.is_open or (outlet.gate.serves_in_need and self.is_in_need)

    @property
    def taking(self) -> list[Outlet]:
        """All of those."""
        return [outlet for outlet in self.outlets if self.takes(outlet)]

    @property
    def is_in_need(self) -> bool:
        """None is open."""
        return not any(outlet.gate.is_open for outlet in self.outlets)

    @property
    def admits(self) -> float:
        """How many may pass now: any number, one that shall see, or none."""
        if self.taking:
            return inf
        return max(outlet.gate.admits for outlet in self.outlets)

    @property
    def is_held(self) -> bool:
        """Nobody takes anything, and somebody waits for that."""
        admits = self.admits
        return admits < inf and (not admits or bool(self.waiting))

    @property
    def opens_in(self) -> float:
        """Seconds until a pace lets more of those who wait go."""
        if not self.waiting:
            return inf
        shuts = [(outlet.pace, outlet.pace.shut(urgent=urgent)) for outlet in self.outlets for urgent in (True, False)]
        return min((pace.seconds(shut) for pace, shut in shuts if shut), default=inf)

    def knocking(self) -> list[T]:
        """Those that may try now: all when somebody takes them, one when it is time to see."""
        count = int(min(self.admits, len(self.waiting)))
        return [self.waiting.popleft() for _ in range(count)]
