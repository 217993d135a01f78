"""The pace of one provider, as one sender keeps it: allowed in lots, with one question to the database for a batch."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from contracts.events import Due, named
from kit import logs
from kit.delivery.pace import store
from kit.delivery.pace.allowance import Allowance
from kit.delivery.pace.rules import Entry, Limit, Lot, Unit, at_once, fitting, left, next_lot, opening, settled
from kit.postgres import Connection

QUICK: Final = 5.0
LONG: Final = 30.0
"""Seconds after which an allowance lapses, with and without a limit per second: messages may have to wait for hands."""
LOOK: Final = 5.0
"""Seconds until the book is looked into again at the latest: it may open earlier than it said."""
SHORTEST: Final = 0.01
TELL: Final = 0.25
"""Seconds after which what was handed over is told, where nothing more is asked for."""

log = logs.get(__name__)


class Fare(NamedTuple):
    """The right to hand over one message, part of an allowance."""

    pace: "Pace"
    allowance: Allowance
    parts: int


class Paced(Protocol):
    """A message on its way, of so many parts; `fare` is what it was allowed, if it was."""

    fare: Fare | None

    @property
    def parts(self) -> int: ...


class Shut(NamedTuple):
    """Nothing more fits before `opens_at` (by clock()), `until` in our monotonic seconds, because of this limit."""

    until: float
    opens_at: datetime
    limit: Limit
    look_at: float

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.limit.words}, and all of it is used until {named(self.opens_at)}"


class Pace:
    """Without limits everything is allowed, and nobody is asked. `clock` gives monotonic seconds."""

    def __init__(
        self, limits: Sequence[Limit], clock: Callable[[], float], parts_of: Callable[[Due], int] = lambda _: 1
    ) -> None:
        """`parts_of` a text message; anything else is one."""
        self.parts_of = parts_of
        self.limits = tuple(limits)
        self._clock = clock
        self._life = QUICK if any(limit.unit == "second" for limit in limits) else LONG
        self._out: dict[UUID, Allowance] = {}
        self._shut: dict[bool, Shut] = {}
        self._left: dict[Limit, tuple[int, float]] = {}
        self._told_at = clock()
        self._lots: dict[Limit, Lot] = {}
        self._asking = asyncio.Lock()

    def shut(self, *, urgent: bool) -> Shut | None:
        """Why nothing fits, as long as there is no need to look again."""
        shut = self._shut.get(urgent)
        return shut if shut and self._clock() < shut.look_at else None

    def used_up(self, *, urgent: bool) -> Shut | None:
        """Why nothing will fit for long: its day is over."""
        shut = self._shut.get(urgent)
        return shut if shut and shut.limit.unit == "day" and self._clock() < shut.until else None

    def seconds(self, shut: Shut) -> float:
        """Until it opens; never nothing at all."""
        return max(shut.until - self._clock(), SHORTEST)

    def turn(self, parts: int = 1, *, urgent: bool) -> float:
        """Seconds until one more message of so many parts had better come back: those who are sent away together take
        turns, as many in a window as fit."""
        if (shut := self._shut.get(urgent)) is None:
            return 0.0
        now = self._clock()
        opens = max(shut.until, now)
        lot = self._lots[shut.limit] = next_lot(shut.limit, self._lots.get(shut.limit), opens, parts)
        return max(lot.at, opens) - now

    def left(self) -> dict[Unit, int]:
        """What each window still has room for, as the book said when it was last looked into; where that was more than
        a window ago, all of it."""
        now, found = self._clock(), dict[Unit, int]()
        for limit, (room, looked_at) in self._left.items():
            kept = room if now - looked_at < limit.window.total_seconds() else limit.most
            found[limit.unit] = min(kept, found.get(limit.unit, kept))
        return found

    def allows(self, one: Paced) -> bool:
        """Whether it may be handed over now; who does so says it by `pay`."""
        return not self.limits or self._holds(one)

    def pay(self, one: Paced) -> Callable[[], None]:
        """It is handed over now; what it gives is to be called where nothing came of that."""
        if one.fare is None or one.fare.pace is not self:
            refund(one)
            return _nothing
        now, (_, allowance, parts), one.fare = self._clock(), one.fare, None
        allowance.spend(parts, now)
        return partial(allowance.refund_spent, parts, now)

    def owes(self) -> bool:
        """Something was handed over, was refunded or has lapsed a while ago, and the book does not know it yet."""
        now = self._clock()
        return now - self._told_at >= TELL and any(one.has_news or one.is_over(now) for one in self._out.values())

    async def allow(self, connection: Connection, wanted: Sequence[Paced], *, urgent: bool) -> None:
        """Gives as many of them their fare, from the first on, as fit now; all are urgent, or none is.

        What was handed over is told along with that; also where nothing is wanted, if it is owed. A sender whose
        connection is lost before it hears that this was written tells it twice: too slow for a window, never too fast.
        """
        if self.limits:
            async with self._asking:
                unpaid = [] if self.shut(urgent=urgent) else [one for one in wanted if not self._holds(one)]
                if unpaid or self.owes():
                    await self._ask(connection, unpaid, urgent)

    async def tell(self, connection: Connection) -> None:
        """Everything that the book does not know yet, such as at the end."""
        if self._out:
            async with self._asking:
                await self._ask(connection, (), urgent=False)

    async def _ask(self, connection: Connection, wanted: Sequence[Paced], urgent: bool) -> None:
        asked_at, parts = self._clock(), [one.parts for one in wanted]

        def at(when: float) -> datetime:
            return now + timedelta(seconds=when - asked_at)

        async with connection.transaction():
            now, book = await store.opened(connection, self.limits)
            news = {id: one.news(asked_at, at) for id, one in self._out.items()}
            book = {limit: settled(limit, entries, news, now) for limit, entries in book.items()}
            fits = fitting(book, parts[: at_once(self.limits, parts)], urgent=urgent)
            allowance = Allowance(parts[:fits], asked_at + self._life)
            for limit, entries in book.items() if fits else ():
                amount = sum(map(limit.cost, parts[:fits]))
                entries.append(Entry(at(allowance.lapses_at), amount, allowance.id))
            await store.written(connection, book)
        self._left = {limit: (left(limit, entries), asked_at) for limit, entries in book.items()}
        self._told(asked_at, {id: len(word.handed) for id, word in news.items()})
        if fits:
            self._out[allowance.id] = allowance
        for one in wanted[:fits]:
            refund(one)
            one.fare = Fare(self, allowance, one.parts)
        if wanted:
            self._look_again(book, parts[fits:], asked_at, now, urgent)

    def _told(self, asked_at: float, hand_overs: Mapping[UUID, int]) -> None:
        """Those were written; meanwhile there may have been more."""
        self._told_at = asked_at
        for id, count in hand_overs.items():
            one = self._out[id]
            over = one.is_over(asked_at)
            one.told(count)
            if over and not one.has_news:
                del self._out[id]

    def _look_again(
        self, book: Mapping[Limit, Sequence[Entry]], left: Sequence[int], asked_at: float, now: datetime, urgent: bool
    ) -> None:
        """When those that did not fit may. What does not fit for urgent ones fits for nobody."""
        if left:
            at, limit = opening(book, left[0], now, urgent=urgent)
            until = asked_at + (at - now).total_seconds()
            before = self._shut.get(urgent)
            if limit.unit == "day" and at > now and (before is None or before.limit != limit):
                log.warning("day_used_up", provider=limit.name, pace=limit.words, urgent=urgent, opens_at=named(at))
            for which in {False, urgent}:
                self._shut[which] = Shut(until, at, limit, min(until, asked_at + LOOK))
        else:
            for which in {True, urgent}:
                self._shut.pop(which, None)
            self._lots.clear()

    def _holds(self, one: Paced) -> bool:
        fare = one.fare
        return fare is not None and fare.pace is self and self._clock() < fare.allowance.lapses_at


def _nothing() -> None:
    """Nothing was paid."""


def refund(one: Paced) -> None:
    """It is not handed over now: what it was allowed is free again."""
    if one.fare:
        one.fare.allowance.refund(one.fare.parts)
        one.fare = None
