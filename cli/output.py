"""How the command line speaks: results on standard output, progress on standard error, one sentence for trouble."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Annotated, Any, Final, Self, TypeVar

import typer
from pydantic import BaseModel

from client.errors import TocsinError
from deploy.local.trouble import Trouble
from kit.clock import monotonic
from kit.postgres import NotMigrated
from kit.settings import SettingsError

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text for people.")]
"""The option that every command takes."""

Item = TypeVar("Item", bound=BaseModel)

BAR: Final = 24
"""Characters of a full bar."""
PATIENCE: Final = 1.0
"""Seconds after which whoever waits wants to see how far it is."""

EXPECTED = (Trouble, SettingsError, TocsinError, NotMigrated)
"""Errors that are meant for people: their text is the message."""


class Progress:
    """Says what happens on standard error, so that results can be piped. With it, a line that changes is ended."""

    def __init__(self, patience: float = 0.0) -> None:
        """What is over within `patience` seconds is not worth a word."""
        self._terminal = sys.stderr.isatty()
        self._silent_until = monotonic() + patience
        self._said: dict[str, int] = {}
        self._changing = False
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_line()

    @property
    def speaks(self) -> bool:
        """It has taken long enough."""
        return monotonic() >= self._silent_until

    def say(self, text: str) -> None:
        """One step."""
        if self.speaks:
            self._end_line()
            print(f"  {text}", file=sys.stderr, flush=True)

    def progress(self, text: str, done: int, total: int, now: str = "") -> None:
        """A long step: one line that changes on a terminal, a line for every quarter elsewhere. `now`: what it is at,
        which a terminal shows."""
        if not self.speaks:
            return
        part = done / total if total else 1.0
        if self._terminal:
            self._change(f"{text}  {'━' * round(part * BAR):<{BAR}}  {done} of {total}{self._over(now)}")
            if done >= total:
                self._end_line()
        elif (quarter := int(part * 4)) != self._said.get(text):
            self._said[text] = quarter
            print(f"  {text}: {done} of {total}", file=sys.stderr, flush=True)

    def _over(self, now: str) -> str:
        """As wide as the widest before it, which it covers."""
        self._width = max(self._width, len(now))
        return f"  {now:<{self._width}}" if self._width else ""

    def count(self, text: str, done: int) -> None:
        """A long step of which nobody knows how much is left."""
        if not self.speaks:
            return
        if self._terminal:
            self._change(f"{text}: {done}")
        else:
            print(f"  {text}: {done}", file=sys.stderr, flush=True)

    def _change(self, text: str) -> None:
        print(f"\r  {text}", end="", file=sys.stderr, flush=True)
        self._changing = True

    def _end_line(self) -> None:
        if self._changing:
            with suppress(OSError):  # nobody looks any more: that is no reason to fail at the end
                print(file=sys.stderr, flush=True)
        self._changing = False


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
