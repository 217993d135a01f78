"""A provider that takes nothing is left alone, and looked at again after growing pauses."""

from dataclasses import dataclass
from math import inf

from kit.delivery.gate import PAUSES, Gate, Pass
from kit.delivery.outcomes import Halted

BAD_PASSWORD = Halted("provider_configuration", "535 5.7.8", alarming=True)
QUOTA = Halted("provider_quota", "452 4.5.3", retry_after=60.0)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def gate(halted: Halted = BAD_PASSWORD) -> tuple[Gate, Clock]:
    clock = Clock()
    one = Gate("smtp", clock)
    assert one.enter() is Pass.ORDINARY and one.admits == inf
    one.leave(Pass.ORDINARY, halted)
    return one, clock


def test_shut_until_its_time_has_come() -> None:
    one, clock = gate()
    assert not one.is_open and one.enter() is None and one.admits == 0
    assert (one.reason, one.detail) == ("provider_configuration", "535 5.7.8")
    clock.now += PAUSES[0] - 0.1
    assert one.enter() is None


def test_then_one_may_see() -> None:
    """And only one at a time."""
    one, clock = gate()
    clock.now += PAUSES[0]
    assert one.admits == 1
    assert one.enter() is Pass.PROBE
    assert one.enter() is None and one.admits == 0


def test_it_opens_when_something_got_through() -> None:
    one, clock = gate()
    clock.now += PAUSES[0]
    one.leave(one.enter() or Pass.ORDINARY, None)
    assert one.is_open and one.enter() is Pass.ORDINARY


def test_the_pauses_grow_while_it_is_in_vain_and_start_anew_after() -> None:
    one, clock = gate()
    for pause in (*PAUSES[1:], PAUSES[-1]):
        clock.now += one.seconds
        assert one.enter() is Pass.PROBE
        one.leave(Pass.PROBE, BAD_PASSWORD)
        assert one.seconds == pause
    clock.now += one.seconds
    one.enter()
    one.leave(Pass.PROBE, None)
    one.leave(Pass.ORDINARY, BAD_PASSWORD)
    assert one.seconds == PAUSES[0]


def test_never_before_the_providers_own_word() -> None:
    one, _ = gate(QUOTA)
    assert one.seconds == 60.0


def test_who_was_inside_when_it_shut_neither_opens_nor_prolongs_it() -> None:
    one, clock = gate()
    one.leave(Pass.ORDINARY, None)
    one.leave(Pass.ORDINARY, BAD_PASSWORD)
    assert not one.is_open and one.seconds == PAUSES[0]
    assert clock.now == 100.0


def test_closed_for_good_is_closed_for_good() -> None:
    clock = Clock()
    one = Gate("smtp", clock, closed_because="notifications_disabled")
    clock.now += 1e9
    assert one.enter() is None and one.reason == "notifications_disabled"
    assert 1 <= one.seconds <= PAUSES[-1]
