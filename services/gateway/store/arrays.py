"""Rows as columns for statements that are the same for all batches, for what is not written with every notification."""

from collections.abc import Iterable, Sequence
from typing import Any

from kit.postgres.columns import is_same


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
    if not is_same(column):
        return column
    return () if column[0] is None else column[:1]
