"""A provider that takes nothing is left alone, and looked at again after growing pauses."""

from dataclasses import dataclass
from math import inf

from kit.delivery.gate import CALM, PAUSES, REST, STEADY, Gate, Pass
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Accepted, Halted, Outcome, Refused, Unavailable, Unknown

BAD_PASSWORD = Halted("provider_configuration", "535 5.7.8", alarming=True)
TAKEN, DOWN = Accepted(), Unavailable(PROVIDER_UNAVAILABLE)
QUOTA = Halted("provider_quota", "452 4.5.3", retry_after=60.0)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def through(one: Gate) -> Pass:
    """The right to hand over."""
    entered = one.enter()
    assert entered
    return entered


def gate(halted: Halted = BAD_PASSWORD) -> tuple[Gate, Clock]:
    clock = Clock()
    one = Gate("smtp", clock)
    assert one.admits == inf
    one.leave(through(one), halted)
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
    entered = one.enter()
    assert entered and entered.probe
    assert one.enter() is None and one.admits == 0


def test_it_opens_when_something_got_through() -> None:
    one, clock = gate()
    clock.now += PAUSES[0]
    one.leave(through(one), TAKEN)
    assert one.is_open and not through(one).probe


def test_the_pauses_grow_while_it_is_in_vain_and_start_anew_after() -> None:
    one, clock = gate()
    for pause in (*PAUSES[1:], PAUSES[-1]):
        clock.now += one.seconds
        one.leave(through(one), BAD_PASSWORD)
        assert one.seconds == pause
    clock.now += one.seconds
    one.leave(through(one), TAKEN)
    one.leave(through(one), BAD_PASSWORD)
    assert one.seconds == PAUSES[0]


def test_never_before_the_providers_own_word() -> None:
    one, _ = gate(QUOTA)
    assert one.seconds == 60.0


def test_who_was_inside_when_it_shut_neither_opens_nor_prolongs_it() -> None:
    one, clock = gate()
    one.leave(Pass(0), TAKEN)
    one.leave(Pass(0), BAD_PASSWORD)
    assert not one.is_open and one.seconds == PAUSES[0]
    assert clock.now == 100.0


def test_closed_for_good_is_closed_for_good() -> None:
    clock = Clock()
    one = Gate("smtp", clock, closed_because="notifications_disabled")
    clock.now += 1e9
    assert one.enter() is None and one.reason == "notifications_disabled"
    assert 1 <= one.seconds <= PAUSES[-1]


# -------------------------------------------------------------------------------------------------- who does badly


def many(one: Gate, outcome: Outcome, count: int, seconds: float = 0.0) -> None:
    """So many hand-overs, one after the other, as far as it lets them in."""
    for _ in range(count):
        if entered := one.enter():
            one.leave(entered, outcome, one._clock() - seconds)


def down() -> tuple[Gate, Clock]:
    clock = Clock()
    one = Gate("smtp", clock)
    many(one, DOWN, 20)
    return one, clock


def test_p5_10_ten_failures_in_a_row_shut_it() -> None:
    one, _ = down()
    assert (one.state, one.reason, one.seconds) == ("shut", "provider_down", REST[0])
    assert not one.serves_in_need, "nothing gets through: nobody is helped by trying on"


def test_p5_10_what_nobody_knows_is_the_providers_silence() -> None:
    one = Gate("smtp", Clock())
    many(one, Unknown("unknown_outcome"), 10)
    assert one.reason == "provider_down"


def test_p5_10_what_is_wrong_with_messages_says_nothing_about_the_provider() -> None:
    """A list full of dead addresses, a domain that defers everybody."""
    one = Gate("smtp", Clock())
    many(one, Refused("recipient_refused"), 500)
    many(one, Unavailable("recipient_deferred"), 500)
    many(one, Unavailable("mailbox_full", patient=True), 500)
    assert one.is_open


def test_p5_10_half_of_them_failing_is_better_than_nothing() -> None:
    clock = Clock()
    one = Gate("smtp", clock)
    for _ in range(10):
        many(one, TAKEN, 1)
        many(one, DOWN, 1)
    assert (one.state, one.reason) == ("ailing", "provider_failing")
    assert one.serves_in_need and one.enter_in_need() is not None and one.enter() is None


def test_p5_10_fifty_failures_in_a_minute_are_too_many_among_hundreds() -> None:
    clock = Clock()
    one = Gate("smtp", clock)
    for _ in range(49):
        clock.now += 1.0
        many(one, TAKEN, 5)
        many(one, DOWN, 1)
    assert one.is_open
    clock.now += 1.0
    many(one, DOWN, 1)
    assert one.reason == "provider_failing"


def test_p5_10_three_must_get_through_until_it_is_trusted_again() -> None:
    one, clock = down()
    clock.now += REST[0]
    for n in range(STEADY):
        assert not one.is_open, n
        one.leave(through(one), TAKEN)
    assert one.is_open


def test_p5_10_a_probe_that_takes_its_time_is_in_vain() -> None:
    one, clock = down()
    clock.now += REST[0]
    one.leave(through(one), TAKEN, clock.now - 6.0)
    assert not one.is_open and one.admits == 0 and one.seconds == REST[1]


def test_p5_10_who_does_badly_again_soon_rests_longer() -> None:
    """A provider that is up for half a minute at a time does not get the traffic each time."""
    one, clock = down()
    rests = []
    for _ in range(4):
        rests.append(one.seconds)
        clock.now += one.seconds
        many(one, TAKEN, STEADY)
        assert one.is_open
        clock.now += CALM / 2
        many(one, DOWN, 10)
    assert rests == list(REST[:4])
    clock.now += one.seconds
    many(one, TAKEN, STEADY)
    clock.now += CALM + 1
    many(one, DOWN, 10)
    assert one.seconds == REST[0]


def test_p5_10_a_stall_is_seen_while_nobody_reports() -> None:
    clock = Clock()
    one = Gate("smtp", clock)
    for _ in range(5):
        one.enter()
    clock.now += 4.9
    one.look()
    assert one.is_open
    clock.now += 0.2
    one.look()
    assert (one.state, one.reason, one.detail) == ("ailing", "provider_stalled", "no answer for 5 s, 5 waiting")


def test_p5_10_one_that_hangs_among_many_that_pass_is_no_stall() -> None:
    clock = Clock()
    one = Gate("smtp", clock)
    one.enter()
    for _ in range(60):
        clock.now += 1.0
        many(one, TAKEN, 1)
        one.look()
    assert one.is_open


def test_p5_10_in_need_it_is_used_all_the_same_and_trusted_when_it_does_well() -> None:
    clock = Clock()
    one = Gate("smtp", clock)
    many(one, TAKEN, 20, seconds=6.0)
    assert one.reason == "provider_slow"
    for _ in range(5):
        entered = one.enter_in_need()
        assert entered
        one.leave(entered, TAKEN, clock.now - 6.0)
    assert not one.is_open and one.seconds == REST[0], "those that pass in need do not lengthen its rest"
    clock.now += one.seconds
    for _ in range(STEADY):
        entered = one.enter_in_need()
        assert entered
        one.leave(entered, TAKEN, clock.now - 1.0)
    assert one.is_open


def test_paused_by_hand_until_resumed_by_hand() -> None:
    clock = Clock()
    one = Gate("smtp", clock)
    one.paused = True
    assert (one.state, one.why, one.admits, one.enter(), one.enter_in_need()) == ("paused", "paused", 0, None, None)
    clock.now += 1e6
    assert one.enter() is None
    one.paused = False
    assert one.enter() is not None


def test_a_pause_forgets_nothing_of_what_was_wrong() -> None:
    one, _ = gate()
    one.paused = True
    one.paused = False
    assert one.why == "provider_configuration" and one.enter() is None
