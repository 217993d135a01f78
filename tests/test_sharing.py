"""Who runs beside whom."""

from __future__ import annotations

import ast

import pytest

from tests.servers import ROOT
from tests.sharing import ALONE, FIRST, LAST, is_large, next_unit, together, turn


@pytest.mark.parametrize("place", ALONE)
def test_what_loads_the_machine_is_never_side_by_side(place: str) -> None:
    there = ROOT / place
    modules = [path.relative_to(ROOT) for path in ([there] if there.is_file() else there.glob("test_*.py"))]
    assert modules
    assert {together(f"{module}::test_one") for module in modules} == {"alone"}


@pytest.mark.parametrize("module", LAST)
def test_what_counts_copies_comes_last(module: str) -> None:
    assert (ROOT / module).is_file()
    assert together(f"{module}::test_one") == "last"


@pytest.mark.parametrize("module", ["tests/journeys/test_kcat.py", "tests/kit/bus/test_reaching.py"])
def test_a_stack_that_a_module_shares_is_started_once(module: str) -> None:
    assert together(f"{module}::test_one") == together(f"{module}::test_two[a::b]") == module


def test_a_browser_is_started_once() -> None:
    assert together("tests/web/test_bell.py::test_one") == together("tests/web/test_docs.py::test_two")


def test_all_others_go_where_there_is_room() -> None:
    test = "tests/kit/test_retry.py::test_one[1]"
    assert together(test) == test


STACK, SMALL = "tests/journeys/test_kcat.py", "tests/kit/test_retry.py::test_one[1]"
LONG = "tests/chaos/test_streams.py::test_one"


@pytest.mark.parametrize("place", FIRST[1:])
def test_what_takes_minutes_is_there(place: str) -> None:
    assert (ROOT / place).exists()


def test_what_takes_minutes_begins_first_and_what_counts_copies_last() -> None:
    assert sorted(["last", SMALL, STACK, LONG, "alone"], key=turn) == ["alone", LONG, STACK, SMALL, "last"]
    assert [is_large(unit) for unit in ("last", SMALL, STACK, LONG, "alone")] == [True, False, True, True, True]


@pytest.mark.parametrize(
    ("waiting", "room", "next"),
    [
        ([STACK, SMALL, "last"], True, STACK),
        ([STACK, SMALL, "last"], False, SMALL),
        ([STACK, "last"], False, STACK),
        ([SMALL, "last"], True, SMALL),
        (["last"], False, "last"),
    ],
    ids=["room for a stack", "no room for a stack", "nothing else is left", "no stack is left", "the end"],
)
def test_a_large_one_begins_where_there_is_room(waiting: list[str], room: bool, next: str) -> None:
    assert next_unit(waiting, room=room) == next


def test_no_test_is_drawn_from_a_set() -> None:
    """Every worker must find the same tests in the same order, and the order of a set is another in each."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "parametrize"
        if any(isinstance(values, ast.Set | ast.SetComp) for values in node.args[1:])
    ]
    assert found == []
