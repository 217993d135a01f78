"""What of a pace is used up, what still fits, and when it opens again. Pure: no I/O, no clock.

In no stretch of a second (minute, day) more than `most` are handed over. What was handed over counts so long from
then on; what a sender has been allowed and has not told of counts as if it came at the last possible moment: so a
sender that dies with an allowance in hand makes the others slower for a moment, and nobody ever too fast.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final, Literal, NamedTuple
from uuid import UUID

Unit = Literal["second", "minute", "day"]

WINDOWS: Final[Mapping[Unit, timedelta]] = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "day": timedelta(days=1),
}
GRAINS: Final = 100
"""A window is remembered in so many pieces; what lies in one counts from its end on, a hundredth too long at most."""
KEPT_FOR_URGENT: Final = 10
"""The tenth part of a minute's and a day's pace that only urgent messages get: bulk cannot use up what a password code
needs. A second is over before that matters."""


LOTS: Final = 20
SMALLEST: Final = 10
"""A sender is allowed a twentieth of a minute's or a day's pace at once, or ten where that is less."""


class Limit(NamedTuple):
    """At most so many in any such window: parts of text messages (a mail is one) given to the provider `name`; or,
    where it is `shared` by all providers of all channels, messages."""

    name: str
    unit: Unit
    most: int
    shared: bool = False

    @property
    def window(self) -> timedelta:
        return WINDOWS[self.unit]

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.name}: {self.most} a {self.unit}"

    def usable(self, *, urgent: bool) -> int:
        """How much of it there is for such messages."""
        return self.most if urgent or self.unit == "second" else self.most - self.most // KEPT_FOR_URGENT

    def cost(self, parts: int) -> int:
        """Of one message of so many parts."""
        return 1 if self.shared else parts


class Entry(NamedTuple):
    """So many count until a window after `at`: handed over then, or in the hand of an `allowance` that ends then."""

    at: datetime
    amount: int
    allowance: UUID | None = None


class Told(NamedTuple):
    """What a sender tells of its allowance: each hand-over since the last time (when, parts), and the parts of each
    message that it still has in hand until `lapses_at`."""

    handed: Sequence[tuple[datetime, int]]
    in_hand: Sequence[int]
    lapses_at: datetime


class Lot(NamedTuple):
    """Those who come back at the same time, `at` (seconds), and how many parts they are together."""

    at: float
    parts: int


Entries = Sequence[Entry]


def settled(limit: Limit, entries: Iterable[Entry], told: Mapping[UUID, Told], now: datetime) -> list[Entry]:
    """What counts at `now`, with what is told put in the place of the allowances it is about. What is told of one that
    is not there was told before."""
    handed: Counter[datetime] = Counter()
    in_hand: list[Entry] = []
    for entry in entries:
        word = told.get(entry.allowance) if entry.allowance else None
        for at, amount, allowance in _entries(limit, entry.allowance, word) if word else [entry]:
            if at + limit.window <= now:
                continue
            if allowance:
                in_hand.append(Entry(at, amount, allowance))
            else:
                handed[at] += amount
    return [*in_hand, *(Entry(at, amount) for at, amount in sorted(handed.items()))]


def _entries(limit: Limit, allowance: UUID | None, told: Told) -> Iterator[Entry]:
    if left := sum(map(limit.cost, told.in_hand)):
        yield Entry(told.lapses_at, left, allowance)
    for at, parts in told.handed:
        yield from _handed(limit, at, limit.cost(parts))


def _handed(limit: Limit, at: datetime, amount: int) -> Iterator[Entry]:
    """A message of more parts than the pace has counts for as many windows as it fills."""
    at = _grain(limit, at)
    while amount > 0:
        yield Entry(at, min(amount, limit.most))
        at, amount = at + limit.window, amount - limit.most


def _grain(limit: Limit, at: datetime) -> datetime:
    """The end of the piece that it lies in."""
    epoch, size = datetime.min.replace(tzinfo=UTC), limit.window / GRAINS
    return epoch - size * ((epoch - at) // size)


def fitting(limits: Mapping[Limit, Entries], wanted: Sequence[int], *, urgent: bool) -> int:
    """How many of the messages `wanted` (parts of each), from the first on, may be handed over now. One that is longer
    than a pace goes when nothing else counts."""
    room = {limit: limit.usable(urgent=urgent) - _sum(entries) for limit, entries in limits.items()}
    for n, parts in enumerate(wanted):
        if any(left < _least(limit, parts, urgent) for limit, left in room.items()):
            return n
        for limit in room:
            room[limit] -= limit.cost(parts)
    return len(wanted)


def left(limit: Limit, entries: Entries) -> int:
    """How much of it is not used up, for urgent ones at least."""
    return max(limit.most - _sum(entries), 0)


def at_once(limits: Iterable[Limit], wanted: Sequence[int]) -> int:
    """How many of them one sender may have in hand by one asking: what dies with it is missed for a whole window."""
    most = [max(limit.most // LOTS, SMALLEST) for limit in limits if limit.unit != "second"]
    sums = accumulate(wanted)
    return max(sum(parts <= min(most) for parts in sums), 1) if most else len(wanted)


def opening(limits: Mapping[Limit, Entries], parts: int, now: datetime, *, urgent: bool) -> tuple[datetime, Limit]:
    """When a message of so many parts fits at the earliest, and the limit that is the last to let it: what somebody has
    in hand may be handed over right now."""
    return max(((_opens(limit, entries, parts, now, urgent), limit) for limit, entries in limits.items()), key=_when)


def _opens(limit: Limit, entries: Entries, parts: int, now: datetime, urgent: bool) -> datetime:
    over = _sum(entries) + _least(limit, parts, urgent) - limit.usable(urgent=urgent)
    opens = now
    for at, amount in sorted((now if entry.allowance else entry.at, entry.amount) for entry in entries):
        if over <= 0:
            break
        over -= amount
        opens = at + limit.window
    return max(opens, now)


def next_lot(limit: Limit, lot: Lot | None, opens: float, parts: int) -> Lot:
    """With one more of those who are sent away until it `opens`: as many come back in each window as fit. `lot` is the
    one before; of a window that is over when it opens nobody is still to come."""
    window = limit.window.total_seconds()
    if lot is None or lot.at + window <= opens:
        lot = Lot(opens, 0)
    elif lot.parts + limit.cost(parts) > limit.most:
        lot = Lot(lot.at + window, 0)
    return Lot(lot.at, lot.parts + limit.cost(parts))


def _least(limit: Limit, parts: int, urgent: bool) -> int:
    return min(limit.cost(parts), limit.usable(urgent=urgent))


def _sum(entries: Entries) -> int:
    return sum(entry.amount for entry in entries)


def _when(found: tuple[datetime, Limit]) -> datetime:
    return found[0]
