"""When the sweep looks at a row, and how its patience grows (P3.9)."""

from datetime import timedelta

from contracts.status import Channel, Lane
from services.intake.rules.row import State
from services.intake.rules.sweeping import PILES, Pile, SweepPace, driven, look_at, pile_of
from tests.services.intake.samples import FACTS, NOON, Intake, at, cancel, in_, requested


def test_p3_9_the_pause_doubles_with_each_time() -> None:
    intake = Intake()
    intake.hear(requested())
    row, pauses = intake.row(), []
    for _ in range(4):
        step = driven(row, FACTS, SweepPace(), at(0))
        assert step.row and step.row.rest_until
        row = step.row
        pauses.append(step.row.rest_until - NOON)
    assert pauses == [timedelta(minutes=2 * 2**n) for n in range(1, 5)]


def test_p3_9_where_a_row_lies_and_since_when() -> None:
    intake = Intake()
    intake.hear(requested("now", lane=Lane.BULK), 5)
    intake.hear(requested("later", send_at=in_(60), lane=Lane.URGENT), 5)
    assert pile_of(intake.row("now")) == Pile(Channel.EMAIL, Lane.BULK)
    assert look_at(intake.row("now"), at(99)) == NOON + timedelta(seconds=5)
    assert pile_of(intake.row("later")) == Pile(None, Lane.URGENT)
    assert look_at(intake.row("later"), at(99)) == NOON + timedelta(seconds=60)
    intake.hear(cancel("now"), 7)
    assert pile_of(intake.row("now")) == Pile(Channel.EMAIL, Lane.URGENT)
    assert look_at(intake.row("now"), at(99)) == NOON + timedelta(seconds=7)
    intake.hear(cancel("later"), 7)
    assert intake.row("later").state is State.ENDED
    assert pile_of(intake.row("later")) is look_at(intake.row("later"), at(99)) is None


def test_p3_9_urgent_piles_come_first() -> None:
    assert [pile.lane for pile in PILES] == sorted((pile.lane for pile in PILES), key=list(Lane).index)
    assert {pile.channel for pile in PILES} == {*Channel, None}
