"""What one sender may hand over, and must have handed over before it lapses."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID, uuid4

from kit.delivery.pace.rules import Told


class Allowance:
    """For several messages at once, of so many parts each. Times are our own monotonic seconds."""

    def __init__(self, parts: Iterable[int], lapses_at: float) -> None:
        self.id: UUID = uuid4()
        self.lapses_at = lapses_at
        self._in_hand = Counter(parts)
        self._handed: list[tuple[float, int]] = []
        self._refunded = False

    def spend(self, parts: int, now: float) -> None:
        """A message of so many parts is handed over now."""
        self._in_hand[parts] -= 1
        self._handed.append((now, parts))

    def refund_spent(self, parts: int, when: float) -> None:
        """What was handed over then was not even begun with; unless that is in the book already."""
        if (when, parts) in self._handed:
            self._handed.remove((when, parts))
            self._refunded = True

    def refund(self, parts: int) -> None:
        """A message of so many parts is not handed over after all."""
        self._in_hand[parts] -= 1
        self._refunded = True

    @property
    def has_news(self) -> bool:
        """There is something to tell of it."""
        return bool(self._handed) or self._refunded

    def is_over(self, now: float) -> bool:
        """Nothing will be handed over with it any more."""
        return now >= self.lapses_at or not self._in_hand.total()

    def news(self, now: float, at: Callable[[float], datetime]) -> Told:
        """What is to be told; `at` is when something was by the database's clock."""
        self._refunded = False
        in_hand = [] if now >= self.lapses_at else list(self._in_hand.elements())
        return Told([(at(when), parts) for when, parts in self._handed], in_hand, at(self.lapses_at))

    def told(self, hand_overs: int) -> None:
        """The first so many of its hand-overs stand in the book."""
        del self._handed[:hand_overs]
