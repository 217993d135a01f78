"""How far long work is: on standard error, one line that changes on a terminal, a few lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO

from cli.jobs import Waiting
from cli.output import Progress
from client.operations import RunSeen


class Terminal(StringIO):
    """Where a line can change."""

    def isatty(self) -> bool:
        return True


def said(to: StringIO, work: Callable[[Progress], None], patience: float = 0.0) -> str:
    with redirect_stderr(to), Progress(patience) as progress:
        work(progress)
    return to.getvalue()


def walk(progress: Progress) -> None:
    for done in range(1, 9):
        progress.progress("read", done, 8)


def test_elsewhere_a_line_for_every_quarter() -> None:
    assert said(StringIO(), walk).split("\n") == [f"  read: {n} of 8" for n in (1, 2, 4, 6, 8)] + [""]


def test_on_a_terminal_a_bar_that_grows_and_ends() -> None:
    lines = said(Terminal(), walk).split("\r")
    bars = [line.count("━") for line in lines[1:]]
    assert bars == sorted(bars) and bars[-1] == 24
    assert lines[-1].endswith("8 of 8\n")


def test_a_terminal_shows_what_it_is_at_and_nothing_of_what_it_was_at() -> None:
    def at_tables(progress: Progress) -> None:
        progress.progress("read", 0, 2, "a_long_name")
        progress.progress("read", 1, 2, "short")
        progress.progress("read", 2, 2)

    lines = said(Terminal(), at_tables).split("\r")
    assert lines[1].endswith("0 of 2  a_long_name") and lines[2].endswith("1 of 2  short      ")
    assert {len(line.rstrip("\n")) for line in lines[1:]} == {len(lines[1])}
    assert "name" not in said(StringIO(), at_tables)


def test_what_stops_half_way_leaves_the_next_word_a_line_of_its_own() -> None:
    assert said(Terminal(), lambda progress: progress.progress("read", 1, 8)).endswith("1 of 8\n")
    assert said(Terminal(), lambda progress: progress.count("sent again", 7)) == "\r  sent again: 7\n"


def test_what_is_soon_over_is_not_worth_a_word() -> None:
    assert said(Terminal(), walk, patience=3600) == ""


def test_nothing_to_do_is_all_done() -> None:
    assert said(StringIO(), lambda progress: progress.progress("read", 0, 0)) == "  read: 0 of 0\n"


def run(**parts: str) -> RunSeen:
    states = {service: {"state": state} for service, state in parts.items()}
    return RunSeen(run_id="7", job="cleanup", state="running", results=states)


def test_who_waits_for_a_job_sees_for_whom_whenever_that_changes() -> None:
    with redirect_stderr(StringIO()) as said:
        waiting = Waiting(patience=0)
        for seen in (
            run(gateway="running", intake="waiting"),
            run(gateway="running", intake="running"),
            run(gateway="running", intake="done"),
        ):
            waiting(seen)
    assert said.getvalue() == "  waiting for gateway, intake\n  waiting for gateway\n"
