"""Which of two timers stays, when it may fire, and what it says: by rows, and by everything that may happen."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts import events as e
from contracts.status import End, Lane, Status
from services.scheduler.rules import timers as rules
from services.scheduler.rules.timers import TakenBack, Timer
from tests.services.scheduler.support import NOON, change, retry, scheduled, timer

ID = uuid4()
LATER = NOON + timedelta(minutes=5)


@given(st.timedeltas(timedelta(days=-20_000), timedelta(days=2_000_000)))
def test_never_early_by_rounding(from_noon: timedelta) -> None:
    """A planned instant is rounded up to a millisecond, never down."""
    planned = NOON + from_noon
    after = rules.not_before(planned)
    assert planned <= after < planned + timedelta(milliseconds=1)
    assert after.microsecond % 1000 == 0


def test_a_scheduled_arms_a_ripe() -> None:
    """The instant, the round and the lane; no body, for it is rendered on the day."""
    armed = timer(scheduled(ID, round=3, lane=Lane.BULK))
    assert (armed.key, armed.fire_after, armed.body) == ((3, 0), NOON, None)
    assert rules.said(armed) == e.Ripe(id=ID, round=3, lane=Lane.BULK)


def test_a_retry_arms_its_due() -> None:
    """What the sender wants again is said again, word for word."""
    asked = retry(ID, try_=2, at=LATER)
    armed = timer(asked)
    assert (armed.key, armed.fire_after) == ((1, 2), LATER)
    assert rules.said(armed) == asked.due


@pytest.mark.parametrize(
    "event",
    [
        scheduled(handed=True),
        e.Scheduled(id=ID, owner="user:alice", accepted_at=NOON, round=1),
        e.MoveRefused(id=ID, owner="user:alice", accepted_at=NOON, edit=1),
        None,
    ],
    ids=["handed", "without an instant", "a refused move", "unknown to this version"],
)
def test_p4_3_what_arms_nothing(event: e.Event | None) -> None:
    """`scheduled(handed)` is an answer for the gateway; driving it is the sweep's."""
    assert rules.change(event, b"{}") is None


def waits(round: int, at: datetime = NOON) -> Timer:
    return timer(scheduled(ID, round=round, at=at))


def again(try_: int, at: datetime = NOON) -> Timer:
    return timer(retry(ID, try_=try_, at=at))


def ends(try_: int, at: datetime = NOON, end: End = End.CANCELLED) -> Timer:
    return timer(retry(ID, try_=try_, at=at, end=end))


ROWS: dict[str, tuple[Timer | None, Timer, tuple[tuple[int, int], datetime, bool]]] = {
    # what is there, what is new -> (round, try), fire_after, ends
    "p4_1_the_first": (None, waits(1), ((1, 0), NOON, False)),
    "p4_1_an_older_round_is_ignored": (waits(2, LATER), waits(1), ((2, 0), LATER, False)),
    "p4_1_an_older_try_is_ignored": (again(3, LATER), again(2), ((1, 3), LATER, False)),
    "p4_1_a_waiting_one_is_older_than_its_retry": (again(2), waits(1, LATER), ((1, 2), NOON, False)),
    "p4_1_an_equal_one_re_arms": (waits(1), waits(1, LATER), ((1, 0), LATER, False)),
    "p4_1_a_newer_round_replaces_a_retry": (again(9), waits(2, LATER), ((2, 0), LATER, False)),
    "p4_3_an_end_is_merged_into_what_is_there": (again(3, LATER), ends(2), ((1, 3), NOON, True)),
    "p4_3_however_low_its_try": (again(9), ends(1, LATER), ((1, 9), NOON, True)),
    "p4_3_what_is_there_is_kept_by_an_end": (ends(2, LATER), again(3), ((1, 3), NOON, True)),
    "p4_3_however_low_the_try_of_the_other": (ends(2, LATER), again(1), ((1, 2), NOON, True)),
    "p4_3_the_earlier_time_stays": (ends(2), again(3, LATER), ((1, 3), NOON, True)),
    "p4_3_of_two_ends_the_earlier_time": (ends(2), ends(2, LATER, End.EXPIRED), ((1, 2), NOON, True)),
}


@pytest.mark.parametrize("name", ROWS)
def test_p4_which_of_two_timers_stays(name: str) -> None:
    """P4.1 and P4.3, a row each."""
    there, new, expected = ROWS[name]
    left = rules.armed(there, new)
    assert (left.key, left.fire_after, left.ends) == expected
    if left.ends:
        said = rules.said(left)
        assert isinstance(said, e.Due) and said.end is not None


def test_p4_3_of_two_ends_the_first_is_said() -> None:
    """Both end it; the reason that was there first is the one that is told."""
    first, second = retry(ID, end=End.CANCELLED), retry(ID, end=End.EXPIRED)
    assert rules.said(rules.armed(timer(first), timer(second))) == first.due


@pytest.mark.parametrize(
    ("there", "left"),
    [
        (None, False),
        (timer(scheduled(ID, round=1)), False),
        (timer(scheduled(ID, round=2)), False),
        (timer(scheduled(ID, round=3)), True),
        (timer(retry(ID)), True),
        (timer(retry(ID, end=End.CANCELLED)), True),
    ],
    ids=["nothing", "an older round", "its round", "a newer round", "a retry", "an end"],
)
def test_p4_3_take_back(there: Timer | None, left: bool) -> None:
    """It deletes one that waits, and nothing else."""
    assert (rules.after(there, [change(e.TakeBack(id=ID, round=2))]) is not None) == left


def test_put_back_with_a_growing_pause() -> None:
    """Each failure waits longer, up to half a minute: then Kafka has long said how it is."""
    pauses = [rules.pause(failures).total_seconds() for failures in range(1, 9)]
    assert pauses == [1, 2, 4, 8, 15, 30, 30, 30]
    assert rules.failed_again(timer(scheduled(ID))).failures == 1


def test_a_newly_armed_timer_has_no_failures() -> None:
    """What is planned anew starts anew."""
    tired = rules.failed_again(timer(scheduled(ID)))
    assert rules.armed(tired, timer(scheduled(ID))).failures == 0
    assert rules.armed(tired, timer(retry(ID, end=End.CANCELLED))).failures == 0


@pytest.mark.parametrize(("unknown", "reason"), [(0, "refused_by_kafka"), (1, "perhaps_sent")])
def test_p5_2_the_end_of_a_refused_due(unknown: int, reason: str) -> None:
    """It says how many hand-overs are unknown, and after one of those there is one reason only."""
    end = rules.ended(timer(retry(ID, unknown=unknown, attempt=2)), ValueError())
    assert end is not None
    assert (end.id, end.outcome, end.reason, end.unknown, end.try_) == (ID, Status.FAILED, reason, unknown, 2)


def test_a_ripe_has_no_end_of_its_own() -> None:
    """Intake alone judges what waits."""
    assert rules.ended(timer(scheduled(ID)), ValueError()) is None


class OneNotification(RuleBasedStateMachine):
    """One notification's timer through everything that may happen, next to the simulation's own words for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.timer: Timer | None = None
        self.model: dict[str, Any] | None = None
        self.highest: tuple[int, int] | None = None

    @rule(round=st.integers(1, 3), delay=st.integers(-10, 100))
    def scheduled(self, round: int, delay: int) -> None:
        self._arm(scheduled(ID, round=round, at=self.now + timedelta(seconds=delay)))

    @rule(
        round=st.integers(1, 3),
        try_=st.integers(1, 4),
        delay=st.integers(-10, 100),
        end=st.sampled_from([None, None, *End]),
    )
    def retried(self, round: int, try_: int, delay: int, end: End | None) -> None:
        self._arm(retry(ID, round=round, try_=try_, at=self.now + timedelta(seconds=delay), end=end))

    def _arm(self, event: e.Event) -> None:
        new, old = timer(event), self.model
        self.timer = rules.after(self.timer, [new])
        # The simulation's `arm`.
        key, at, rec = new.key, new.fire_after, rules.said(new)
        ends = isinstance(rec, e.Due) and rec.end is not None
        if old and (old["ends"] or ends):
            at, key, rec = min(at, old["at"]), max(key, old["key"]), old["rec"] if old["ends"] else rec
            ends = True
        elif old and key < old["key"]:
            return
        self.model = {"key": key, "at": at, "rec": rec, "ends": ends}

    @rule(round=st.integers(1, 3))
    def taken_back(self, round: int) -> None:
        self.timer = rules.after(self.timer, [TakenBack(ID, round)])
        if self.model and isinstance(self.model["rec"], e.Ripe) and self.model["rec"].round <= round:
            self.model = None
        if self.timer is None:
            self.highest = None

    @precondition(lambda self: self.timer)
    @rule()
    def a_firing_fails(self) -> None:
        assert self.timer and self.model
        tired = rules.failed_again(self.timer)
        later = max(self.now, tired.fire_after) + rules.pause(tired.failures)
        self.timer = tired._replace(fire_after=later)
        self.model["at"] = later

    @rule(seconds=st.integers(0, 60))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.timer and self.timer.fire_after <= self.now)
    @rule()
    def fires(self) -> None:
        assert self.timer and self.model
        assert self.timer.planned_at <= self.now, "early"
        assert rules.said(self.timer) == self.model["rec"]
        self.timer = self.model = self.highest = None

    @invariant()
    def as_the_simulation_has_it(self) -> None:
        left = self.timer and {"key": self.timer.key, "at": self.timer.fire_after, "ends": self.timer.ends}
        assert left == (self.model and {name: self.model[name] for name in ("key", "at", "ends")})

    @invariant()
    def the_key_never_goes_down(self) -> None:
        if self.timer:
            assert self.highest is None or self.timer.key >= self.highest
            self.highest = self.timer.key


OneNotification.TestCase.settings = settings(max_examples=100, stateful_step_count=20)
TestOneNotification = OneNotification.TestCase
