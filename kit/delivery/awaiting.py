"""Whom to ask what became of a message, and when (P5.9)."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from kit.delivery.pace import store as paces
from kit.delivery.pace.rules import Entry, Limit, left, settled
from kit.delivery.provider import Askable
from kit.delivery.rules import Result
from kit.delivery.store import awaiting as store
from kit.delivery.store.awaiting import Awaited
from kit.postgres import Connection, Database

AGE: Final = timedelta(days=30)


async def due_to_be_asked(connection: Connection, provider: Askable) -> list[Awaited]:
    """Those of this provider whose time has come, at most so many as it takes in a second, whoever of us asks (P5.4).
    Each is put off to its next time: a provider that hangs is not asked again at once.

    Who was told of meanwhile, was not taken after all, or was asked for as often as there are times, goes. To be called
    in a transaction: nobody else gets the same ones meanwhile.
    """
    limit = Limit(f"{provider.name}, asked", "second", provider.asks_per_second)
    now, book = await paces.opened(connection, [limit])
    entries = settled(limit, book[limit], {}, now)
    due = await store.due(connection, provider.name, left(limit, entries))
    asked, over = _sorted_out(due, len(provider.ask_after))
    if asked:
        await store.put_off(connection, [(one, _wait(one, provider.ask_after)) for one in asked])
        await paces.written(connection, {limit: [*entries, Entry(now, len(asked))]})
    if over:
        await store.ask_no_more(connection, over)
    return asked


async def forget_awaited(database: Database, *, age: timedelta = AGE) -> int:
    """Deletes those of providers that nobody asks any more; how many."""
    async with database.connection() as connection:
        return await store.forget(connection, age)


def _sorted_out(due: Iterable[tuple[Awaited, str | None]], times: int) -> tuple[list[Awaited], list[Awaited]]:
    """Whom to ask for, and who is over."""
    asked: list[Awaited] = []
    over: list[Awaited] = []
    for one, result in due:
        (asked if result == Result.SENT and one.asked < times else over).append(one)
    return asked, over


def _wait(one: Awaited, after: Sequence[float]) -> timedelta:
    """Until its next time; after the last one as long once more, and then it goes."""
    return timedelta(seconds=after[min(one.asked + 1, len(after) - 1)])
