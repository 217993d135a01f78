"""Many rows in one statement: each column is an array, and one that says the same for all rows is sent once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

_NEXT: Final = "\x1e"
_NONE: Final = "\x1f"
"""Marks of a joined column: a new text begins, and this one is NULL."""
_FAR: Final = 2.0**32
"""Seconds from 1970: until 2106 a float tells two microseconds apart."""


class Columns:
    """The columns of rows that are written by the hundred: `Columns(id="uuid", tenant="text")`.

    The statement is made for the batch: what differs from row to row is an array, what is the same in all is one
    parameter, what none has is not sent at all. Each array costs the server a table of its own for every batch.
    """

    def __init__(self, **types: str) -> None:
        """The first column must differ from row to row."""
        self._types = tuple(types.items())

    def of(self, rows: Iterable[Sequence[Any]], after: int = 0) -> tuple[str, list[Any]]:
        """SQL for a table of these rows (there is one at least), and its parameters, the first of them ${after + 1}."""
        shown: list[str] = []
        arrays: list[str] = []
        names: list[str] = []
        values: list[Any] = []
        for (name, kind), column in zip(self._types, zip(*rows, strict=True), strict=True):
            same = bool(names) and is_same(column)
            if same and column[0] is None:
                shown.append(f"null::{kind} as {name}")
                continue
            parameter = f"${after + len(values) + 1}"
            if same:
                values.append(column[0])
                shown.append(f"{parameter}::{kind} as {name}")
                continue
            array, value = _array(kind, parameter, column)
            values.append(value)
            arrays.append(array)
            names.append(name)
            shown.append(f"to_timestamp(r.{name}) as {name}" if array.endswith("float8[]") else f"r.{name}")
        return f"(select {', '.join(shown)} from unnest({', '.join(arrays)}) as r({', '.join(names)}))", values


def _array(kind: str, parameter: str, column: Sequence[Any]) -> tuple[str, Any]:
    """SQL for the array of a column, and the parameter it is made of.

    The driver looks at each element of an array: a microsecond for a date, and for long texts more than their copying
    costs. So dates go as the seconds of `to_timestamp` where these are exact, texts as one with marks between.
    """
    if kind == "timestamptz" and (seconds := _seconds(column)):
        return f"{parameter}::float8[]", seconds
    if kind == "text" and (joined := _joined(column)):
        return f"string_to_array({parameter}::text, E{_NEXT!r}, E{_NONE!r})", joined
    return f"{parameter}::{kind}[]", column


def _seconds(column: Iterable[datetime | None]) -> list[float | None] | None:
    """Unix time; None where one of them is so far away that a float would lose its microseconds."""
    seconds = [None if at is None else at.timestamp() for at in column]
    return seconds if max(map(abs, filter(None, seconds)), default=0.0) < _FAR else None


def _joined(column: Sequence[str | None]) -> str | None:
    """The texts as one; None where one of them holds a mark, or is all there is and empty: no array comes of that."""
    text = _NEXT.join([_NONE if one is None else one for one in column])
    marked = text.count(_NEXT) != len(column) - 1 or text.count(_NONE) != column.count(None)
    return None if marked else text


def is_same(column: tuple[Any, ...]) -> bool:
    """Most columns of a batch hold one value, or none. The ends are compared first: most others show it there."""
    value = column[0]
    return bool(value == column[-1]) and column.count(value) == len(column)
