"""What is done with what an inbox shows: by the person, and by who sent it. Each change has its place in the stream."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from contracts import events as e
from kit.postgres import Connection
from services.gateway.handlers.commands import Kept
from services.gateway.store import entries, inbox, outbox
from services.gateway.store.entries import Entry, Mark
from services.gateway.store.inbox import Person

AT_ONCE: Final = 500
"""Entries that are changed in one transaction."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a group: what is said of it, and after which id the next one begins (None: there is none)."""

    kept: list[Kept] = field(default_factory=list)
    last: UUID | None = None


async def mark(connection: Connection, person: Person, id: UUID, mark: Mark) -> tuple[Entry, list[Kept]] | None:
    """A person has read, or archived, an entry: as it is now, and what is said of it. None: there is no such entry.
    Twice is once."""
    counters = await inbox.lock_people(connection, [person])
    entry = await entries.entry(connection, person, id)
    if entry is None:
        return None
    changes = await _mark(connection, [entry], mark, counters)
    return (entry.marked(mark, changes[0].at) if changes else entry), _kept(changes)


async def read_some(connection: Connection, person: Person, through: int | None) -> tuple[list[Kept], int]:
    """A person has read the oldest of what is unread, up to this offset (None: up to now); and that offset."""
    counters = await inbox.lock_people(connection, [person])
    upto = counters[person] if through is None else through
    unread = await entries.oldest_unread(connection, person, upto, AT_ONCE)
    return _kept(await _mark(connection, unread, "read", counters)), upto


async def recall(connection: Connection, ids: Collection[UUID]) -> list[Kept]:
    """Take back what was shown; what was taken back before stays so."""
    shown, counters = await _locked(connection, ids)
    return _kept(await _mark(connection, shown, "recalled", counters))


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
    changes = await _changes(connection, shown, "updated", None, counters)
    if changes:
        await entries.rewrite(connection, [((one.id, one.offset), changed[one.id]) for one in changes])
        await entries.record(connection, changes)
    return _kept(changes)


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


async def _mark(
    connection: Connection, shown: Sequence[Entry], mark: Mark, counters: dict[Person, int]
) -> list[e.InboxChanged]:
    # Readers of before know four changes and no more: what is undone is an update of what is shown.
    change, detail = ("updated", mark) if mark in entries.UNDONE else (mark, None)
    changes = await _changes(connection, [one for one in shown if not one.has(mark)], change, detail, counters)
    if changes:
        await entries.mark(connection, changes, mark)
    return changes


async def _changes(
    connection: Connection, shown: Sequence[Entry], change: str, detail: str | None, counters: dict[Person, int]
) -> list[e.InboxChanged]:
    """Each change has an offset of its own in its person's stream, raised in this transaction."""
    if not shown:
        return []
    said = {"change": change, "detail": detail, "at": await outbox.now(connection)}
    changes = []
    for entry in shown:
        counters[entry.person] += 1
        changes.append(_changed(entry, counters[entry.person], said))
    return changes


def _changed(entry: Entry, offset: int, said: Mapping[str, Any]) -> e.InboxChanged:
    of = e.OfNotification.model_validate_json(entry.notification)
    return e.InboxChanged.model_validate(of.passed_on() | {"offset": offset, **said})


def _kept(changes: Iterable[e.InboxChanged]) -> list[Kept]:
    return [Kept((change.id, change.ce_id), change) for change in changes]
