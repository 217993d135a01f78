"""One process of a service: it lives, dies, is paused, and has groups and open transactions while it lives."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Lock:
    """The row locks of one open transaction; not alive: it is over, one way or the other."""

    alive: bool = True


@dataclass(slots=True, eq=False)
class Instance:
    """`life` counts its crashes: steps of an earlier life are never taken. `busy` counts what it has in hand."""

    service: str
    name: str
    life: int = 0
    alive: bool = False
    paused_until: int = 0
    groups: set[str] = field(default_factory=set)
    locks: list[Lock] = field(default_factory=list)
    busy: int = 0

    def lose_locks(self) -> None:
        """Its open transactions roll back, whether it knows or not."""
        for lock in self.locks:
            lock.alive = False
