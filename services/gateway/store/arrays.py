"""Many rows in one statement: each column is an array, and one that says the same for all rows is sent once."""

from collections.abc import Iterable, Sequence
from typing import Any


def given(**types: str) -> str:
    """SQL for the rows of `columns`, as a table with these columns: $1 is the first, and so on.

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
    """Most columns of a batch hold one value, or none. The ends are compared first: most others show it there."""
    value = column[0]
    if value != column[-1] or column.count(value) != len(column):
        return column
    return () if value is None else (value,)
