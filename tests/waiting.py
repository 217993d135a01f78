"""Waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


def until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    """Returns when the condition holds. Raises AssertionError at the deadline."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


async def eventually(true: Callable[[], bool], seconds: float = 15.0) -> None:
    """The same, in a coroutine: everything else goes on meanwhile."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)
