"""Many rows in one statement: `unnest` takes a column as an array."""

from collections.abc import Iterable, Sequence
from typing import Any


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[tuple[Any, ...]]:
    """The rows turned into their columns; `width` many of them also where there is no row."""
    return list(zip(*rows, strict=True)) or [()] * width
