"""How the command line speaks: results on standard output, progress on standard error, one sentence for trouble."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel

from client.errors import TocsinError
from deploy.local.trouble import Trouble
from kit.postgres import NotMigrated
from kit.settings import SettingsError

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]
"""The option that every command takes."""

Item = TypeVar("Item", bound=BaseModel)

EXPECTED = (Trouble, SettingsError, TocsinError, NotMigrated)
"""Errors that are meant for people: their text is the message."""


class Progress:
    """Says what happens on standard error, so that results can be piped."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._said: dict[str, int] = {}

    def say(self, text: str) -> None:
        """One step."""
        print(f"  {text}", file=sys.stderr, flush=True)

    def progress(self, text: str, done: int, total: int) -> None:
        """A long step: one line that changes on a terminal, a line for every quarter elsewhere."""
        if self._terminal:
            print(f"\r  {text}: {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif (quarter := done * 4 // total) != self._said.get(text):
            self._said[text] = quarter
            print(f"  {text}: {done} of {total}", file=sys.stderr, flush=True)


def emit(value: object, *, as_json: bool, people: Callable[[], None]) -> None:
    """Prints the value as JSON, or lets `people` print it for people."""
    if as_json:
        print(json.dumps(value, indent=2, default=str))
    else:
        people()


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints rows for people."""
    for line in aligned(columns, rows):
        print(line)


def aligned(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """The lines of a table: aligned, and never shortened, so that what is shown can be copied."""
    lines = [list(columns), *([str("" if cell is None else cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def listed(
    name: str,
    found: Sequence[Item],
    columns: Sequence[str],
    row: Callable[[Item], Sequence[object]],
    *,
    as_json: bool,
) -> None:
    """Several things: a table with a row for each, or JSON with the list under its name."""
    emit(
        {name: [as_shown(one) for one in found]},
        as_json=as_json,
        people=lambda: table(columns, [row(one) for one in found]),
    )


def as_shown(one: BaseModel) -> dict[str, Any]:
    """As REST shows it."""
    return one.model_dump(mode="json", by_alias=True, exclude_none=True)


def moment(at: datetime | None) -> str:
    """An instant in a cell."""
    return at.isoformat(timespec="seconds") if at else "-"


@contextmanager
def sentences() -> Iterator[None]:
    """Turns errors that are meant for people into their sentence and exit code 1."""
    try:
        yield
    except EXPECTED as error:
        print(f"tocsin: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
