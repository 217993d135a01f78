"""Which provider a batch goes to, and who is seen to again."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

from kit.delivery.gate import REST, STEADY
from kit.delivery.gate import Gate as RealGate
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Halted, Outcome, Unavailable
from kit.delivery.pace.pace import Pace
from kit.delivery.pipe.outlet import Outlet
from kit.delivery.pipe.route import URGENT_AFTER, Route
from tests.kit.delivery.support import Takes
from tests.kit.delivery.test_gate import Clock, many

DOWN: Final = Unavailable(PROVIDER_UNAVAILABLE)
BAD_PASSWORD: Final = Halted("provider_configuration")


@dataclass(eq=False)
class One:
    outlet: Outlet
    ticket: Any = field(default_factory=lambda: SimpleNamespace(rank=1))
    urgent: bool = False


class Ways:
    """Two providers or more, each with its gate."""

    def __init__(self, *names: str) -> None:
        self.clock = Clock()
        self.outlets = [
            Outlet(Takes(name=name), RealGate(name, self.clock), Pace((), self.clock), position)
            for position, name in enumerate(names)
        ]
        self.route = Route[One](self.outlets)

    def chosen(self, count: int = 3, *, urgent: bool = False) -> list[str]:
        batch = [One(self.outlets[0]) for _ in range(count)]
        self.route.assign(batch, urgent=urgent)
        return [one.outlet.provider.name for one in batch]

    def does(self, position: int, outcome: Outcome, count: int = 10, seconds: float = 0.0) -> None:
        many(self.outlets[position].gate, outcome, count, seconds)


def test_the_first_that_is_open() -> None:
    ways = Ways("main", "spare")
    assert ways.chosen() == ["main"] * 3
    ways.does(0, DOWN)
    assert ways.chosen() == ["spare"] * 3


def test_p5_10_one_of_a_batch_sees_whether_it_works_again() -> None:
    ways = Ways("main", "spare")
    ways.does(0, DOWN)
    ways.clock.now += REST[0]
    assert ways.chosen() == ["spare", "spare", "main"]
    ways.does(0, Accepted(), STEADY)
    assert ways.chosen() == ["main"] * 3


def test_p5_10_an_urgent_one_is_risked_only_where_nobody_else_comes() -> None:
    ways = Ways("main", "spare")
    ways.does(0, DOWN)
    ways.clock.now += REST[0]
    assert ways.chosen(urgent=True) == ["spare"] * 3
    ways.clock.now += URGENT_AFTER
    assert ways.chosen(urgent=True) == ["spare", "spare", "main"]


def test_who_is_further_back_is_not_tried_while_a_better_one_is_open() -> None:
    ways = Ways("main", "spare")
    ways.does(1, DOWN)
    ways.clock.now += 1000.0
    assert ways.chosen() == ["main"] * 3


def test_p5_10_where_none_is_open_the_one_that_does_badly_is_better_than_nothing() -> None:
    ways = Ways("main", "spare")
    ways.does(0, Accepted(), 20, seconds=6.0)
    ways.does(1, DOWN)
    assert ways.chosen() == ["main"] * 3 and ways.route.takes(ways.outlets[0])
    assert not ways.route.is_held and ways.route.enter(ways.outlets[0]) is not None


def test_p5_10_nobody_is_given_anything_while_a_better_one_is_open() -> None:
    ways = Ways("main", "spare")
    ways.does(0, Accepted(), 20, seconds=6.0)
    assert not ways.route.takes(ways.outlets[0]) and ways.route.enter(ways.outlets[0]) is None


def test_all_shut_is_held_until_one_may_see() -> None:
    ways = Ways("main", "spare")
    ways.does(0, BAD_PASSWORD)
    ways.does(1, DOWN)
    assert ways.route.is_held and ways.route.admits == 0 and ways.route.knocking() == []
    for _ in range(2):
        ways.route.waiting.append(One(ways.outlets[0]))
    ways.clock.now += REST[0]
    assert ways.route.is_held and len(ways.route.knocking()) == 1
    assert ways.chosen(1) == ["spare"], "its rest is over first"


def test_who_failed_a_message_is_avoided_if_there_is_another() -> None:
    ways = Ways("main", "spare")
    assert ways.route.choose({"main"}).provider.name == "spare"
    assert ways.route.choose({"main", "spare"}).provider.name == "main"
    assert ways.route.another(ways.outlets[0], {"main"}) and not ways.route.another(ways.outlets[0], {"spare"})


def test_paused_by_hand_the_other_one_gets_everything() -> None:
    ways = Ways("main", "spare")
    ways.outlets[0].gate.paused = True
    ways.clock.now += 1e6
    assert ways.chosen() == ["spare"] * 3
