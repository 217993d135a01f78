"""How a provider is doing, told from the hand-overs of the last minute (P5.10). Pure: time comes in as an argument."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from sys import maxsize
from typing import Final, NamedTuple

SLOT_SECONDS: Final = 2.0
"""The window moves on by so much at a time."""


class Kind(StrEnum):
    """What can be wrong with a provider, in the words of logs and of `/v1/admin/providers`."""

    DOWN = "provider_down"
    FAILING = "provider_failing"
    SLOW = "provider_slow"
    STALLED = "provider_stalled"


class Ailment(NamedTuple):
    """What is wrong, in numbers for people. Where nothing at all gets through (`total`), trying on helps nobody."""

    kind: Kind
    detail: str

    @property
    def total(self) -> bool:
        return self.kind is Kind.DOWN


class Share(NamedTuple):
    """So many of those of the last `seconds`, and at least such a part of them all."""

    seconds: float
    least: int
    part: float


HALF_OF_TEN: Final = Share(10.0, 10, 0.5)
TENTH_OF_FIFTY: Final = Share(60.0, 50, 0.1)
"""Fifty in a minute, unless they are lost among hundreds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a provider is ailing. Times in seconds; `in_a_row`: failures with nothing between them."""

    in_a_row: int = 10
    failing: tuple[Share, ...] = (HALF_OF_TEN, TENTH_OF_FIFTY)
    slow: Share = HALF_OF_TEN
    slow_seconds: float = 5.0
    stall_seconds: float = 5.0

    @property
    def window(self) -> float:
        return max(share.seconds for share in (*self.failing, self.slow))


LIMITS: Final = Limits()
NONE: Final = Limits(in_a_row=maxsize, failing=(), slow=Share(0.0, maxsize, 1.0), stall_seconds=inf)
"""For whom nothing counts as ailing."""


@dataclass(slots=True)
class _Slot:
    """What ended within two seconds."""

    at: float
    all: int = 0
    bad: int = 0
    slow: int = 0


class Condition:
    """Remembers counts, never messages. Times are monotonic seconds, of the same clock in all calls."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._slots: deque[_Slot] = deque()
        self._in_a_row = 0
        self._inside = 0
        self._news_at = 0.0

    def begun(self, clock: Callable[[], float]) -> None:
        """One more is under way; the time is asked for where it is the only one."""
        if not self._inside:
            self._news_at = clock()
        self._inside += 1

    def ended(self, now: float, seconds: float, *, bad: bool) -> bool:
        """It took so many seconds, and the provider is to blame (`bad`) or not. Whether that is worth another look."""
        slot = self._slots[-1] if self._slots and now - self._slots[-1].at < SLOT_SECONDS else self._next(now)
        self._inside, self._news_at = max(self._inside - 1, 0), now
        slow = seconds >= self._limits.slow_seconds
        slot.all += 1
        slot.bad += bad
        slot.slow += slow
        self._in_a_row = self._in_a_row + 1 if bad else 0
        return bad or slow

    def ailment(self, now: float) -> Ailment | None:
        """What is wrong now, the worst first."""
        limits = self._limits
        if self._in_a_row >= limits.in_a_row:
            return Ailment(Kind.DOWN, f"{self._in_a_row} failures in a row")
        if self._inside and now - self._news_at >= limits.stall_seconds:
            return Ailment(Kind.STALLED, f"no answer for {now - self._news_at:.0f} s, {self._inside} waiting")
        for share in limits.failing:
            all_, bad, _ = self._counted(now, share.seconds)
            if bad >= share.least and bad >= share.part * all_:
                return Ailment(Kind.FAILING, f"{bad} of {all_} failed in {share.seconds:.0f} s")
        all_, _, slow = self._counted(now, limits.slow.seconds)
        if slow >= limits.slow.least and slow >= limits.slow.part * all_:
            return Ailment(Kind.SLOW, f"{slow} of {all_} took more than {limits.slow_seconds:g} s")
        return None

    def forget(self) -> None:
        """Only what begins from now on counts."""
        self._slots.clear()
        self._in_a_row = self._inside = 0

    def _next(self, now: float) -> _Slot:
        while self._slots and now - self._slots[0].at > self._limits.window + SLOT_SECONDS:
            self._slots.popleft()
        self._slots.append(_Slot(now))
        return self._slots[-1]

    def _counted(self, now: float, seconds: float) -> tuple[int, int, int]:
        """All, the bad and the slow ones of the last `seconds`, to within a slot."""
        recent = [slot for slot in self._slots if now - slot.at <= seconds]
        return sum(s.all for s in recent), sum(s.bad for s in recent), sum(s.slow for s in recent)
