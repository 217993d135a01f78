"""Whatever the order and however often: a notification ends in a state that P3.1-P3.5 allow."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import events as e
from contracts.status import Status
from services.intake.rules.hearing import heard, postponed
from services.intake.rules.row import Row, State
from services.intake.rules.saying import say
from services.intake.rules.sweeping import SweepPace, driven, overdue
from tests.services.intake.samples import FACTS, NOON, Intake, again, at, cancel, id_of, in_, move, requested, ripe

NEXT = {
    None: set(State) - {State.SPLIT},
    State.EXPECTED: {State.EXPECTED, State.WAITING, State.HANDED, State.ENDED},
    State.WAITING: {State.WAITING, State.HANDED, State.ENDED},
    State.HANDED: {State.HANDED},
    State.ENDED: {State.ENDED},
}
"""What intake may do by itself; only what is heard from others ends a handed row."""


@dataclass
class Life:
    """One notification, and everything that was ever said about it."""

    intake: Intake
    planned: float
    now: float = 0
    cancelled: bool = False
    dues: list[e.Due] | None = None

    def wanted(self, **more: Any) -> e.Requested:
        fields: dict[str, Any] = {"send_at": in_(self.planned)} if self.planned else {}
        return requested(**fields, **more)

    def row(self) -> Row | None:
        return self.intake.rows.get(id_of("k1"))

    def hear(self, event: e.Event) -> list[e.Event]:
        before = self.row()
        said = self.intake.hear(event, self.now)
        self.check(before, said)
        return said

    def check(self, before: Row | None, said: list[e.Event] | tuple[e.Event, ...]) -> None:
        row = self.row()
        assert row is None or row.state in NEXT[before.state if before else None]
        if row and before:
            assert row.edit >= before.edit
            assert row.round >= before.round
            assert before.end in (None, row.end)
            assert before.outcome is None or (row.outcome is not None and row.outcome.rank >= before.outcome.rank)
        for event in said:
            if isinstance(event, e.Due) and event.end is None:
                assert not self.cancelled, "handed over again although its cancel was judged"
                assert row and row.planned_at and row.planned_at <= NOON + timedelta(seconds=self.now)
                self.dues = [*(self.dues or []), event]
                assert {due.model_dump_json() for due in self.dues} == {event.model_dump_json()}, "another content"

    def replace(self, row: Row) -> None:
        self.intake.rows[row.id] = row


def ask(life: Life) -> None:
    said = life.hear(life.wanted())
    row = life.row()
    assert row and [event.ce_id for event in said] == [event.ce_id for event in say(row, FACTS)]


def ask_again(life: Life) -> None:
    life.hear(life.wanted(again=True))


def ask_otherwise(life: Life) -> None:
    """Whichever body comes first is the one; the other changes nothing."""
    before = life.row()
    if before is None or before.is_stub:
        return
    said = life.hear(life.wanted(body="something else"))
    assert life.row() is before
    assert [event.ce_type for event in said] == ["tocsin.request.refused"]


def stop(life: Life) -> None:
    life.hear(cancel())
    life.cancelled = True
    row = life.row()
    assert row and (row.state is State.ENDED or row.end is not None)


def say_it_again(life: Life) -> None:
    assert not any(isinstance(event, e.Due) for event in life.hear(again()))


def hear_sent(life: Life) -> None:
    if (row := life.row()) and life.dues:
        told = e.Sent(**life.dues[0].passed_on(), at=NOON)
        life.replace(heard(row, told, told.model_dump_json().encode()))


def hear_failed(life: Life) -> None:
    if (row := life.row()) and life.dues:
        told = e.Failed(**life.dues[0].passed_on(), outcome=Status.FAILED, reason="refused", unknown=1)
        life.replace(heard(row, told, told.model_dump_json().encode()))


def hear_retry(life: Life) -> None:
    if row := life.row():
        life.replace(postponed(row, NOON + timedelta(seconds=life.now + 300), at(life.now)))


def sweep(life: Life) -> None:
    if (row := life.row()) and row.is_open:
        step = driven(row, FACTS, SweepPace(), at(life.now))
        assert step.row
        life.replace(step.row)
        life.check(row, step.said)
        assert [type(event) for event in step.said] == [type(event) for event in say(row, FACTS)]


def expire(life: Life) -> None:
    row = life.row()
    if row and row.is_open and row.expires_at and row.expires_at + SweepPace().overdue < moment_of(life):
        step = overdue(row, FACTS, at(life.now))
        assert step.row
        life.replace(step.row)
        life.check(row, step.said)
        life.cancelled = True


def moment_of(life: Life) -> datetime:
    return at(life.now).now


def moving(edit: int, to: float) -> Any:
    def do(life: Life) -> None:
        life.hear(move(edit=edit, to=to))

    return do


def ripening(round: int) -> Any:
    def do(life: Life) -> None:
        life.hear(ripe(round=round))

    return do


def waiting(seconds: float) -> Any:
    def do(life: Life) -> None:
        life.now += seconds

    return do


STEPS = st.one_of(
    st.sampled_from(
        [ask, ask_again, ask_otherwise, stop, say_it_again, hear_sent, hear_failed, hear_retry, sweep, expire]
    ),
    st.builds(moving, st.integers(1, 4), st.sampled_from([30.0, 3600.0, 7200.0])),
    st.builds(ripening, st.integers(1, 5)),
    st.builds(waiting, st.sampled_from([1.0, 1800.0, 3600.0, 80 * 3600.0])),
)


@settings(max_examples=300)
@given(st.sampled_from([0.0, 3600.0]), st.lists(STEPS, max_size=25))
def test_p3_any_order_and_repetition_ends_where_the_rules_allow(planned: float, steps: list[Any]) -> None:
    life = Life(Intake(), planned)
    for step in steps:
        step(life)
    ask(life)
    row = life.row()
    assert row is not None
    if life.cancelled:
        assert row.outcome is not None or row.end is not None


@given(st.permutations([ask, stop, moving(1, 7200.0)]), st.sampled_from([0.0, 3600.0]))
def test_p3_4_request_cancel_and_move_in_any_order_end_cancelled(order: list[Any], planned: float) -> None:
    life = Life(Intake(), planned)
    for step in order:
        step(life)
    row = life.row()
    assert row and (row.outcome is Status.CANCELLED or row.end is not None)


@given(st.permutations([0, 1, 2, 3]))
def test_p3_5_in_any_order_only_the_newest_stays(order: list[int]) -> None:
    intake = Intake()
    for n in order:
        intake.hear(requested(f"n{n}", accepted=n, collapse_key="stock", send_at=in_(3600)), 5)
    assert [intake.row(f"n{n}").reason for n in range(4)] == ["collapsed"] * 3 + [None]


@given(st.permutations([1, 2, 3]), st.sampled_from([0, 1, 2, 3]))
def test_p1_in_any_order_the_highest_edit_stays(order: list[int], place: int) -> None:
    intake = Intake()
    events: list[e.Event] = [move(edit=n, to=3600 * n) for n in order]
    events.insert(place, requested(send_at=in_(60)))
    for event in events:
        intake.hear(event)
    assert (intake.row().edit, intake.row().planned_at) == (3, NOON + timedelta(hours=3))


def test_the_facts_of_one_batch_are_not_changed_by_it() -> None:
    facts = replace(FACTS)
    Intake(facts).hear(requested(collapse_key="stock"))
    assert facts.newest == {}
