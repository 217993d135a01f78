"""What is done with what an inbox shows: by the person, and by who sent it. Each change has its place in the stream."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from contracts import events as e
from contracts import topics
from kit.postgres import Connection
from services.gateway.handlers.commands import Kept
from services.gateway.store import entries, inbox, outbox, stream
from services.gateway.store.entries import Entry, Mark, Placed
from services.gateway.store.inbox import Person
from services.gateway.store.outbox import Keeping

AT_ONCE: Final = 500
"""Entries that are changed in one transaction."""

Write = Callable[[Sequence[Placed], datetime], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a group: what is said of it, and after which id the next one begins (None: there is none)."""

    kept: list[Kept] = field(default_factory=list)
    last: UUID | None = None


async def mark(connection: Connection, person: Person, id: UUID, mark: Mark) -> list[Kept] | None:
    """A person has read, or archived, an entry. None: there is no such entry. Twice is once."""
    counters = await inbox.lock_people(connection, [person])
    entry = await entries.entry(connection, person, id)
    if entry is None:
        return None
    return await _mark(connection, [entry], mark, counters)


async def read_some(connection: Connection, person: Person, through: int | None) -> tuple[list[Kept], int]:
    """A person has read the oldest of what is unread, up to this offset (None: up to now); and that offset."""
    counters = await inbox.lock_people(connection, [person])
    upto = counters[person] if through is None else through
    unread = await entries.oldest_unread(connection, person, upto, AT_ONCE)
    return await _mark(connection, unread, "read", counters), upto


async def recall(connection: Connection, ids: Collection[UUID]) -> list[Kept]:
    """Take back what was shown; what was taken back before stays so."""
    shown, counters = await _locked(connection, ids)
    return await _mark(connection, shown, "recalled", counters)


async def rewrite(
    connection: Connection,
    ids: Collection[UUID],
    said: Mapping[str, Any],
    check: Callable[[Entry], None] = lambda _: None,
) -> list[Kept]:
    """Let these entries say something else. Who says so already, or was taken back, is not changed. `check` sees what
    is changed behind its lock, and may raise."""
    shown, counters = await _locked(connection, ids)
    changed = {one.id: one.words.rewritten(said) for one in shown if not one.recalled_at}
    shown = [one for one in shown if one.id in changed and not changed[one.id].reads_as(one.words)]
    for one in shown:
        check(one)

    async def write(placed: Sequence[Placed], _: datetime) -> None:
        await entries.rewrite(connection, [(one, changed[one[0]]) for one in placed])

    return await _change(connection, shown, "updated", None, counters, write)


async def some(
    connection: Connection,
    tenant: str,
    group: str,
    owner: str | None,
    after: UUID | None,
    said: Mapping[str, Any] | None,
) -> Part:
    """Rewrite (`said` None: take back) the next entries of a group; `owner` None: whoever sent them."""
    ids = await entries.members(connection, tenant, group, owner, after, AT_ONCE)
    if not ids:
        return Part()
    kept = await (recall(connection, ids) if said is None else rewrite(connection, ids, said))
    return Part(kept, ids[-1])


async def _locked(connection: Connection, ids: Collection[UUID]) -> tuple[list[Entry], dict[Person, int]]:
    """These entries as they are behind the locks of their persons."""
    people = {one.person for one in await entries.shown(connection, ids)}
    counters = await inbox.lock_people(connection, people)
    return await entries.shown(connection, ids), counters


async def _mark(connection: Connection, shown: Sequence[Entry], mark: Mark, counters: dict[Person, int]) -> list[Kept]:
    async def write(placed: Sequence[Placed], at: datetime) -> None:
        await entries.mark(connection, placed, mark, at)

    # Readers of before know four changes and no more: what is undone is an update of what is shown.
    change, detail = ("updated", mark) if mark in entries.UNDONE else (mark, None)
    return await _change(connection, [one for one in shown if not one.has(mark)], change, detail, counters, write)


async def _change(
    connection: Connection,
    shown: Sequence[Entry],
    change: str,
    detail: str | None,
    counters: dict[Person, int],
    write: Write,
) -> list[Kept]:
    """Each change has an offset of its own in its person's stream, raised in this transaction."""
    if not shown:
        return []
    at = await outbox.now(connection)
    placed: list[Placed] = []
    for entry in shown:
        counters[entry.person] += 1
        placed.append((entry.id, counters[entry.person]))
    await write(placed, at)
    await inbox.set_counters(connection, counters)
    events = [
        _changed(entry, offset, {"change": change, "detail": detail, "at": at})
        for entry, (_, offset) in zip(shown, placed, strict=True)
    ]
    await stream.note(connection, events)
    await outbox.keep(connection, [_keeping(event) for event in events])
    return [Kept((event.id, event.ce_id), event) for event in events]


def _changed(entry: Entry, offset: int, said: Mapping[str, Any]) -> e.InboxChanged:
    of = e.OfNotification.model_validate_json(entry.notification)
    return e.InboxChanged.model_validate(of.passed_on() | {"offset": offset, **said})


def _keeping(event: e.InboxChanged) -> Keeping:
    text = event.model_dump_json(exclude_none=True)
    return Keeping(event.id, event.ce_id, "inbox", event.tenant, None, 0, topics.SENT.name, text, event.at)
