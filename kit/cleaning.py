"""The job `cleanup` of a service: one step per kind of row, each in small transactions with pauses between them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from kit.clock import monotonic
from kit.control.running import Work
from kit.metrics import Metrics

Step = Callable[[], Awaitable[int]]
"""Deletes all rows of a kind that have been kept for long enough; how many they were."""

SHORTEST_PAUSE: Final = 0.005
LOOK_AGAIN: Final = 1.0


def cleanup(metrics: Metrics, steps: Mapping[str, Step]) -> Work:
    """The work that takes these steps, one after the other; it answers how many rows of each kind went."""

    async def clean_up(_: Mapping[str, Any]) -> dict[str, int]:
        counts = {}
        for kind, step in steps.items():
            counts[kind] = await step()
            metrics.cleaned(kind, counts[kind])
        return counts

    return clean_up


class Unhurried:
    """Who cleans up rests for as long as he worked, and longer while others are behind with theirs."""

    def __init__(self, is_busy: Callable[[], bool] = lambda: False) -> None:
        self._is_busy = is_busy
        self._begun = monotonic()

    async def rest(self) -> None:
        """Between two transactions."""
        await asyncio.sleep(max(SHORTEST_PAUSE, monotonic() - self._begun))
        while True:
            if not self._is_busy():
                break
            await asyncio.sleep(LOOK_AGAIN)
        self._begun = monotonic()
