"""What follows from a change: who is answered, what is counted, what came too late."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from contracts import events as e
from contracts.status import Channel, Status
from services.gateway.rules.consequences import Known, Row, answers, counts, too_late
from services.gateway.rules.projection import Order, fold

ID, PLACE, PARENT = UUID(int=1), UUID(int=2), UUID(int=3)
NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
COMMON = {"id": ID, "owner": "user:alice", "accepted_at": NOW, "channel": Channel.EMAIL}

SCHEDULED = e.Scheduled(**COMMON, round=2, edit=5, at=NOW)
HANDED = e.Scheduled(**COMMON, round=1, handed=True)
REFUSED = e.MoveRefused(**COMMON, edit=6)
SENT = e.Sent(**COMMON, at=NOW)
HELD = e.InboxChanged(**COMMON, change="read", at=NOW, offset=1)


def row(rank: Status = Status.ACCEPTED, **more: object) -> Row:
    fields: dict[str, object] = {
        "id": ID,
        "place": PLACE,
        "hour": NOW,
        "tenant": "default",
        "owner": "user:alice",
        "was": None,
        "counted": f"email:{rank.rank}",
        "rank": rank.rank,
        "posted": True,
        "parent": None,
        "edit": -1,
        "sent_at": None,
        "asked_here": False,
    }
    return Row(**(fields | more))  # type: ignore[arg-type]


def known(rank: Status, *, edit: int = -1, was: str | None = None) -> Known:
    return Known(ID, PLACE, rank.rank, was, edit, NOW)


@pytest.mark.parametrize(
    ("event", "after", "final", "judged", "moved"),
    [
        (SCHEDULED, row(Status.SCHEDULED), [], [ID], [(ID, 5)]),
        (HANDED, row(), [], [ID], [(ID, 0)]),
        (REFUSED, row(), [], [ID], [(ID, 6)]),
        (SENT, row(Status.SENT), [ID], [], []),
        (HELD, row(), [], [], []),
        (SENT, row(Status.SENT, posted=False), [], [], []),
        (SENT, row(Status.SENT, posted=False, parent=PARENT), [], [PARENT], []),
    ],
)
def test_p6_1_a_row_ends_with_the_judges_answer(
    event: e.Event, after: Row, final: list[UUID], judged: list[UUID], moved: list[tuple[UUID, int]]
) -> None:
    found = answers([after], fold([(event, NOW, None)]).changes)
    assert (found.final, found.judged, found.moved) == (final, judged, moved)


@pytest.mark.parametrize(
    ("was", "counted", "moves"),
    [
        (None, "email:0", {("email", 0): 1}),
        ("email:0", "email:7", {("email", 0): -1, ("email", 7): 1}),
        ("email:7", "email:7", {}),
        (":0", "sms:3", {("", 0): -1, ("sms", 3): 1}),
        ("email:3", None, {("email", 3): -1}),
    ],
)
def test_p9_each_notification_is_counted_once(
    was: str | None, counted: str | None, moves: dict[tuple[str, int], int]
) -> None:
    found = counts([row(was=was, counted=counted).move])
    assert {(key.channel, key.rank): n for key, n in found.items()} == moves


CANCEL = Order(ID, UUID(int=9), "cancel", 4, NOW)
MOVE = Order(ID, UUID(int=9), "move", 4, NOW)


@pytest.mark.parametrize(
    ("row", "orders", "lines"),
    [
        (known(Status.SENT), [CANCEL], [("too_late", "cancel")]),
        (known(Status.DELIVERED), [CANCEL, CANCEL], [("too_late", "cancel")]),
        (known(Status.CANCELLED), [CANCEL], []),
        (known(Status.FAILED), [MOVE], []),
        (known(Status.SENT), [MOVE], [("too_late", "move/4")]),
        (known(Status.SENT, edit=4), [MOVE], []),
        (known(Status.SENT, was="email:3"), [], [("too_late", "cancel")]),
        (known(Status.SENT, was="email:2"), [], []),
    ],
)
def test_p2_too_late_is_derived_where_a_provider_took_it(
    row: Known, orders: list[Order], lines: list[tuple[str, str]]
) -> None:
    found = too_late([row], orders, frozenset())
    assert sorted({(line.event, line.n) for _, line in found}) == lines


def test_p2_a_sending_that_was_called_cancelled_came_too_late() -> None:
    """The two may come in one batch, in either order."""
    assert too_late([known(Status.SENT)], [], frozenset({ID}))
