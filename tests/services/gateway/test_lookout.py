"""One timer for many deadlines: the nearest is never missed, and a later one costs no timer of its own."""

from __future__ import annotations

import asyncio

from services.gateway.lookout import Lookout


class Looks:
    """Counts the looks, and lets the test wait for one."""

    def __init__(self, *following: float | None) -> None:
        self.left = list(following)
        self.seen = asyncio.Event()

    def __call__(self) -> float | None:
        self.seen.set()
        return self.left.pop(0)


async def test_the_nearest_is_looked_for_first_though_it_was_set_last() -> None:
    looks, now = Looks(None), asyncio.get_running_loop().time()
    lookout = Lookout(looks)
    lookout.set(now + 3600)
    lookout.set(now)
    await looks.seen.wait()
    assert not looks.left


async def test_a_look_that_finds_somebody_who_waits_looks_again() -> None:
    now = asyncio.get_running_loop().time()
    looks = Looks(now, None)
    Lookout(looks).set(now)
    while looks.left:
        await looks.seen.wait()
        looks.seen.clear()


async def test_nothing_is_looked_for_once_it_is_cancelled() -> None:
    first, second, now = Looks(), Looks(None), asyncio.get_running_loop().time()
    cancelled = Lookout(first)
    cancelled.set(now)
    cancelled.cancel()
    Lookout(second).set(now)
    await second.seen.wait()
    assert not first.seen.is_set()
