"""Many rows in one statement: each column is an array, and one that says the same for all rows is sent once."""

from collections.abc import Iterable, Sequence
from typing import Any


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
            same = bool(names) and _is_same(column)
            if same and column[0] is None:
                shown.append(f"null::{kind} as {name}")
                continue
            values.append(column[0] if same else column)
            parameter = f"${after + len(values)}::{kind}"
            shown.append(f"{parameter} as {name}" if same else f"r.{name}")
            if not same:
                arrays.append(f"{parameter}[]")
                names.append(name)
        return f"(select {', '.join(shown)} from unnest({', '.join(arrays)}) as r({', '.join(names)}))", values


def given(**types: str) -> str:
    """SQL for the rows of `columns`, as a table with these columns: $1 is the first, and so on. One text for all
    batches, for what is not written with every notification.

    `unnest` fills shorter arrays up with NULL: none at all is a column of NULLs, one value stands for every row.
    """
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(types.values(), start=1))
    values = ", ".join(
        f"case cardinality(${n}::{kind}[]) when 1 then (${n}::{kind}[])[1] else {name} end as {name}"
        for n, (name, kind) in enumerate(types.items(), start=1)
    )
    return f"(select {values} from unnest({arrays}) as r({', '.join(types)}))"


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[Sequence[Any]]:
    """The parameters of `given`: the rows turned into their columns."""
    return [_short(column) for column in zip(*rows, strict=True)] or [()] * width


def _short(column: tuple[Any, ...]) -> Sequence[Any]:
    if not _is_same(column):
        return column
    return () if column[0] is None else column[:1]


def _is_same(column: tuple[Any, ...]) -> bool:
    """Most columns of a batch hold one value, or none. The ends are compared first: most others show it there."""
    value = column[0]
    return bool(value == column[-1]) and column.count(value) == len(column)
