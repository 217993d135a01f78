"""The allowed intervals of a verdict, as one column: microseconds since 1970, "begin-end begin-end"."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from kit.retry import Window

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TICK: Final = timedelta(microseconds=1)


def written(windows: Sequence[Window] | None) -> str | None:
    """None: always."""
    if windows is None:
        return None
    return " ".join(f"{(begin - EPOCH) // TICK}-{(end - EPOCH) // TICK}" for begin, end in windows)


@lru_cache(maxsize=1024)
def read(text: str | None) -> tuple[Window, ...] | None:
    """What was written."""
    if text is None:
        return None
    edges = (pair.split("-") for pair in text.split())
    return tuple((EPOCH + TICK * int(begin), EPOCH + TICK * int(end)) for begin, end in edges)
