"""P9 as a table: where a group goes on, and what the first record says."""

import pytest

from kit.bus.placement import ANEW, BEGINNING, Committed, First, Start, first, start


@pytest.mark.parametrize(
    ("committed", "end", "expected"),
    [
        pytest.param(None, 0, BEGINNING, id="nothing committed, nothing there"),
        pytest.param(None, 7, BEGINNING, id="nothing committed"),
        pytest.param(Committed(0, None), 7, BEGINNING, id="nothing done yet"),
        pytest.param(Committed(5, 1000), 4, ANEW, id="the end is before what was committed: another topic"),
        pytest.param(Committed(5, 1000), 0, ANEW, id="another topic, still empty"),
        pytest.param(Committed(5, 1000), 5, Start(4, expected=1000), id="all done: look at the last one"),
        pytest.param(Committed(5, 1000), 9, Start(4, expected=1000), id="more to do: look at the last one"),
        pytest.param(Committed(5, None), 9, Start(5), id="an operator's offset is taken at its word"),
        pytest.param(Committed(5, None), 3, ANEW, id="but not behind the end"),
    ],
)
def test_p9_where_a_partition_begins(committed: Committed | None, end: int, expected: Start) -> None:
    """The log's end comes first, then the last committed record is looked at."""
    assert start(committed, end) == expected


@pytest.mark.parametrize(
    ("asked", "expected", "offset", "timestamp", "meaning"),
    [
        pytest.param(4, 1000, 4, 1000, First.DONE, id="the same record"),
        pytest.param(4, 1000, 4, 1001, First.ELSEWHERE, id="another record at its place"),
        pytest.param(4, 1000, 6, 1001, First.NEXT, id="retention or compaction took it"),
        pytest.param(4, 1000, 0, 1001, First.RESET, id="out of range while we looked"),
        pytest.param(5, None, 5, 1001, First.NEXT, id="the next record"),
        pytest.param(5, None, 9, 1001, First.NEXT, id="offsets have gaps"),
        pytest.param(5, None, 0, 1001, First.RESET, id="out of range while running"),
        pytest.param(0, None, 300, 1001, First.NEXT, id="the beginning is wherever it is by now"),
    ],
)
def test_p9_what_the_first_record_says(
    asked: int, expected: int | None, offset: int, timestamp: int, meaning: First
) -> None:
    """The same timestamp: go on; another one at that very offset: another topic; a later offset: go on from it."""
    assert first(asked, expected, offset, timestamp) is meaning


@pytest.mark.parametrize(
    ("offset", "metadata", "expected"),
    [
        (-1, "", None),
        (7, "1700000000123", Committed(7, 1700000000123)),
        (7, "", Committed(7, None)),
        (7, None, Committed(7, None)),
        (7, "set by hand", Committed(7, None)),
    ],
)
def test_p9_a_commit_is_read(offset: int, metadata: str | None, expected: Committed | None) -> None:
    """Kafka says -1 for none; metadata that is not a time is somebody else's."""
    assert Committed.read(offset, metadata) == expected
