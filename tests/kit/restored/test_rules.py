"""P9, after a restore: whether a group has come to where a partition ended then, whatever befell Kafka as well."""

from __future__ import annotations

import pytest

from contracts.topics import INTAKE, REQUESTED, SCHEDULER
from kit.bus.placement import Committed
from kit.clock import utc_now
from kit.restored.rules import Mark, Span, marks, passed

URGENT = next(iter(REQUESTED.values())).name
PLACE = (URGENT, 0)
NOW = utc_now()


def mark(through: int = 300, stale_at: int | None = None) -> Mark:
    return Mark("intake", *PLACE, through, stale_at, NOW)


@pytest.mark.parametrize(
    ("through", "span", "position", "read"),
    [
        (300, (0, 300), Committed(300, 1), True),
        (300, (0, 400), Committed(300, 1), True),
        (300, (0, 400), Committed(299, 1), False),
        (300, (0, 400), None, False),
        # What Kafka does not hold any more, nobody can read: retention, and a topic that was lost with all it held.
        (300, (300, 400), None, True),
        (300, (0, 0), None, True),
        (300, (0, 0), Committed(900, 1), True),
        # Made anew since: what is there now is read first; an offset behind its end is of the older one.
        (300, (0, 50), Committed(50, 1), True),
        (300, (0, 50), Committed(49, 1), False),
        (300, (0, 50), Committed(900, 1), False),
    ],
)
def test_p9_read_as_far_as_the_restore_found_it(
    through: int, span: Span, position: Committed | None, read: bool
) -> None:
    assert passed(mark(through), {PLACE: span}, {URGENT}, position) is read


def test_p9_a_position_of_an_older_topic_says_nothing_also_when_the_new_one_has_grown_past_it() -> None:
    """The group was set back to 400 of a topic that then held 300 and was another one; later it holds 500."""
    waits = mark(300, stale_at=7)
    assert not passed(waits, {PLACE: (0, 500)}, {URGENT}, Committed(400, 7))
    assert passed(waits, {PLACE: (0, 500)}, {URGENT}, Committed(400, 8))


def test_p9_a_topic_that_is_gone_is_waited_for_and_a_partition_that_never_comes_back_is_not() -> None:
    assert not passed(mark(), {}, set(), Committed(300, 1))
    assert passed(mark(), {(URGENT, 1): (0, 10)}, {URGENT}, None)


def test_p9_each_group_reads_again_what_its_own_topics_hold() -> None:
    """Also in partitions that were added after the backup; an empty one holds nothing."""
    ends = {PLACE: 300, (URGENT, 1): 0, ("notifications.scheduled", 0): 5}
    found = marks([INTAKE, SCHEDULER], ends, {"intake": {PLACE: Committed(400, 7)}}, NOW)
    assert found == [
        Mark("intake", *PLACE, 300, 7, NOW),
        Mark("scheduler", "notifications.scheduled", 0, 5, None, NOW),
    ]
