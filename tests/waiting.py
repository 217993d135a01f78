"""Waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 60.0
"""Seconds after which a test no longer hopes: so many that no busy machine is taken for one that hangs."""


def until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Returns when the condition holds. Raises AssertionError at the deadline."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


async def eventually(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """The same, in a coroutine: everything else goes on meanwhile."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)
