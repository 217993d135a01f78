"""In no stretch of a second, a minute or a day more than the pace, whoever of several senders does what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import pytest

from kit.delivery.pace.allowance import Allowance
from kit.delivery.pace.rules import GRAINS, Entry, Limit, Told, at_once, fitting, next_lot, opening, settled

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND = Limit("relay", "second", 10)
MINUTE = Limit("relay", "minute", 60)
DAY = Limit("relay", "day", 500)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def handed(*counts: tuple[float, int]) -> list[Entry]:
    return [Entry(after(at), count) for at, count in counts]


@pytest.mark.parametrize(
    ("entries", "wanted", "fits"),
    [
        ([], [1] * 12, 10),
        (handed((-0.5, 4)), [1] * 12, 6),
        (handed((-0.5, 10)), [1], 0),
        ([], [3, 3, 3, 3], 3),
        (handed((-0.5, 1)), [25], 0),
        ([], [25, 1], 1),
    ],
    ids=["empty", "some", "full", "in parts", "longer than the pace, beside others", "longer than the pace, alone"],
)
def test_what_fits(entries: list[Entry], wanted: list[int], fits: int) -> None:
    assert fitting({SECOND: entries}, wanted, urgent=False) == fits


def test_all_limits_must_let_it() -> None:
    assert fitting({SECOND: [], MINUTE: handed((-30, 47))}, [1] * 12, urgent=False) == 7


@pytest.mark.parametrize(("limit", "kept"), [(SECOND, 0), (MINUTE, 6), (DAY, 50), (Limit("relay", "day", 9), 0)])
def test_a_tenth_of_a_minute_and_of_a_day_is_for_the_urgent_alone(limit: Limit, kept: int) -> None:
    assert fitting({limit: []}, [1] * 600, urgent=True) == limit.most
    assert fitting({limit: []}, [1] * 600, urgent=False) == limit.most - kept


def test_messages_are_counted_where_parts_are_not() -> None:
    everybody = Limit("all", "minute", 5, shared=True)
    assert fitting({everybody: []}, [7] * 9, urgent=True) == 5


@pytest.mark.parametrize(
    ("limit", "wanted", "count"),
    [(SECOND, [1] * 50, 50), (MINUTE, [1] * 50, 10), (DAY, [1] * 50, 25), (DAY, [7] * 9, 3), (MINUTE, [11, 1], 1)],
)
def test_nobody_has_much_of_a_minute_or_a_day_in_hand(limit: Limit, wanted: list[int], count: int) -> None:
    """Who is killed with it takes it along, for as long."""
    assert at_once([limit, SECOND], wanted) == count


def test_it_opens_when_enough_of_what_was_handed_over_is_a_window_old() -> None:
    entries = handed((-0.9, 4), (-0.4, 6))
    assert opening({SECOND: entries}, 1, NOON, urgent=False) == (after(0.1), SECOND)
    assert opening({SECOND: entries}, 5, NOON, urgent=False) == (after(0.6), SECOND)
    assert opening({SECOND: entries}, 25, NOON, urgent=False) == (after(0.6), SECOND)


def test_a_used_up_day_opens_a_day_after_what_used_it_up() -> None:
    """And the limit that is the last to open is the one that is named."""
    book = {SECOND: handed((-0.1, 10)), DAY: handed((-3600, 500))}
    assert opening(book, 1, NOON, urgent=True) == (after(86_400 - 3600), DAY)


def test_what_is_in_hand_counts_until_it_must_have_been_handed_over() -> None:
    """Its sender is gone: a window after the end of its allowance everything is free again, and not before."""
    allowance = Entry(after(5), 10, uuid4())
    for seconds, fits in ((0, 0), (5.9, 0), (6, 10)):
        assert fitting({SECOND: settled(SECOND, [allowance], {}, after(seconds))}, [1] * 12, urgent=False) == fits


def test_what_is_told_takes_the_place_of_what_was_in_hand() -> None:
    entry = Entry(after(5), 10, uuid4())
    told = Told(handed=[(after(0.2), 1), (after(0.2), 1)], in_hand=[1] * 5, lapses_at=after(5))
    book = settled(SECOND, [entry], {entry.allowance or uuid4(): told}, after(0.3))
    assert [(one.amount, one.allowance) for one in book] == [(5, entry.allowance), (2, None)]
    assert after(0.2) <= book[1].at < after(0.2 + 1 / GRAINS)
    assert fitting({SECOND: book}, [1] * 12, urgent=False) == 3, "three were refunded"


def test_what_was_told_before_is_not_counted_twice() -> None:
    """The commit came through and its acknowledgement did not: told again, it is there already."""
    told = Told(handed=[(NOON, 1)], in_hand=[], lapses_at=after(5))
    assert settled(SECOND, handed((0, 1)), {uuid4(): told}, after(0.1)) == handed((0, 1))


def test_a_message_of_more_parts_than_the_pace_keeps_it_for_longer() -> None:
    """25 parts at 10 a second: the next one goes after two and a half of them."""
    entry = Entry(after(5), 25, uuid4())
    told = Told(handed=[(NOON, 25)], in_hand=[], lapses_at=after(5))
    book = settled(SECOND, [entry], {entry.allowance or uuid4(): told}, NOON)
    assert [one.amount for one in book] == [10, 10, 5]
    at, _ = opening({SECOND: book}, 6, NOON, urgent=False)
    assert at == after(3)
    assert fitting({SECOND: settled(SECOND, book, {}, after(2))}, [5, 1], urgent=False) == 1


def test_the_book_does_not_grow() -> None:
    """A window is remembered in pieces."""
    entries: list[Entry] = []
    for n in range(1000):
        entry = Entry(after(n / 500 + 5), 1, uuid4())
        told = Told(handed=[(after(n / 500), 1)], in_hand=[], lapses_at=after(9))
        entries = settled(SECOND, [*entries, entry], {entry.allowance or uuid4(): told}, after(n / 500))
    assert len(entries) <= GRAINS + 1


# ---------------------------------------------------------------------------------------- several senders, many worlds


class Sender:
    """Asks as `Pace` does, hands over when it likes, and may die with what it has in hand."""

    def __init__(self, life: float) -> None:
        self.life = life
        self.out: dict[UUID, Allowance] = {}

    def ask(self, limits: dict[Limit, list[Entry]], wanted: list[int], now: float, urgent: bool) -> None:
        news = {id: one.news(now, after) for id, one in self.out.items()}
        for limit in limits:
            limits[limit] = settled(limit, limits[limit], news, after(now))
        for id, word in news.items():
            over = self.out[id].is_over(now)
            self.out[id].told(len(word.handed))
            if over:
                del self.out[id]
        if fits := fitting(limits, wanted, urgent=urgent):
            allowance = Allowance(wanted[:fits], now + self.life)
            self.out[allowance.id] = allowance
            for limit, entries in limits.items():
                count = sum(map(limit.cost, wanted[:fits]))
                entries.append(Entry(after(now + self.life), count, allowance.id))

    def hand_over(self, now: float, draw: Callable[[], float]) -> list[int]:
        """Some of what it may."""
        done = []
        for one in self.out.values():
            for parts in [] if one.is_over(now) else list(one._in_hand.elements()):
                if draw() < 0.5:
                    one.spend(parts, now)
                    done.append(parts)
                elif draw() < 0.05:
                    one.refund(parts)
        return done


def test_as_many_come_back_in_a_window_as_fit() -> None:
    lot, turns = None, []
    for n in range(25):
        lot = next_lot(SECOND, lot, 5.0 + n * 0.001, 1)
        turns.append(lot.at)
    assert turns == [5.0] * 10 + [6.0] * 10 + [7.0] * 5


def test_what_is_longer_counts_for_more_and_longer_than_a_window_goes_alone() -> None:
    lots = [next_lot(SECOND, None, 5.0, 25)]
    for parts in (4, 4, 4):
        lots.append(next_lot(SECOND, lots[-1], 5.0, parts))
    assert [lot.at for lot in lots] == [5.0, 6.0, 6.0, 7.0]


def test_whoever_comes_back_in_vain_is_sent_no_further_each_time() -> None:
    """Ten who are held at every opening, because others took the room: their turns of before are over."""
    lot = None
    for opens in (5.0, 6.0, 7.0, 8.0):
        for _ in range(10):
            lot = next_lot(SECOND, lot, opens, 1)
        assert lot is not None and lot.at == opens


@pytest.mark.parametrize("seed", range(40))
def test_whatever_several_senders_do_they_keep_the_pace_together(seed: int) -> None:
    """Senders ask for lots of any size, hand over late, refund, and die: in no window more than the pace."""
    luck = Random(seed)
    limits: dict[Limit, list[Entry]] = {Limit("relay", "second", 10): [], Limit("relay", "minute", 120): []}
    senders = [Sender(luck.choice([0.3, 5.0])) for _ in range(3)]
    at, log = 0.0, []
    while at < 90:
        at += luck.expovariate(25)
        who = luck.randrange(len(senders))
        if luck.random() < 0.4:
            senders[who].ask(limits, [luck.choice([1, 1, 2, 3])] * luck.randrange(15), at, luck.random() < 0.3)
        log += [(at, parts) for parts in senders[who].hand_over(at, luck.random)]
        if luck.random() < 0.003:
            senders[who] = Sender(5.0)  # killed with what it had in hand; another one takes its place
    for limit in limits:
        seconds = limit.window.total_seconds()
        for begin, _ in log:
            assert sum(parts for when, parts in log if begin <= when < begin + seconds) <= limit.most, (begin, limit)
    assert len(log) > 60, "and they do get something done"
