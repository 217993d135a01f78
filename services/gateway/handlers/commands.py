"""What people ask for about what is there already: cancel, move, read, archive. All are kept as requests are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from contracts import events as e
from contracts import topics
from contracts.status import Lane
from kit.postgres import Connection
from services.gateway.rules.consequences import too_late
from services.gateway.rules.projection import CANCELLED, Order
from services.gateway.store import inbox, outbox, projecting, stream
from services.gateway.store.inbox import Entry, Person
from services.gateway.store.outbox import Keeping, Key

URGENT: Final = topics.REQUESTED[Lane.URGENT].name
NORMAL: Final = topics.REQUESTED[Lane.NORMAL].name

Change = Literal["read", "archived"]


@dataclass(frozen=True, slots=True)
class Kept:
    """A command that is in the outbox, and what is published of it once that is committed."""

    key: Key
    event: e.Event


async def cancel(connection: Connection, tenant: str, id: UUID, command: UUID) -> list[Kept]:
    """Ask for the end of one notification; nothing is kept when it has ended already (P3.4)."""
    order = await _order(connection, id, command, "cancel")
    if order is None:
        return []
    event = e.Cancel(tenant=tenant, command=command, id=id, edit=order.edit, accepted_at=order.at)
    await outbox.keep(connection, [_keeping("cancel", event, URGENT)])
    await outbox.expect_answers(connection, id)
    return [Kept((id, command), event)]


async def move(connection: Connection, tenant: str, id: UUID, command: UUID, at: datetime) -> list[Kept]:
    """Ask for another time; only the highest number counts (P1)."""
    order = await _order(connection, id, command, "move")
    if order is None:
        return []
    event = e.Move(tenant=tenant, command=command, id=id, edit=order.edit, at=at, accepted_at=order.at)
    await outbox.keep(connection, [_keeping("move", event, NORMAL)])
    await outbox.expect_answers(connection, id)
    return [Kept((id, command), event)]


async def cancel_group(connection: Connection, tenant: str, group: str, owner: str | None, command: UUID) -> list[Kept]:
    """Ask for the end of all members that were accepted until now; `owner` None: whoever asked for them."""
    at = await outbox.now(connection)
    event = e.Cancel(tenant=tenant, command=command, group=group, owner=owner, accepted_at=at)
    await projecting.note_group_cancel(connection, event)
    await outbox.keep(connection, [_keeping("group", event, URGENT, owner)])
    return [Kept((event.subject, command), event)]


async def _order(connection: Connection, id: UUID, command: UUID, kind: Literal["cancel", "move"]) -> Order | None:
    """Number and remember an edit. None: it has ended; what a provider took gets its `too_late` at once (P2)."""
    row = await outbox.lock(connection, id)
    edit, at = await outbox.next_edit(connection, id)
    order = Order(id, command, kind, edit, at)
    await projecting.note_commands(connection, [order])
    known = await projecting.known(connection, [id])
    orders = [order._replace(id=one.id) for one in known]
    await projecting.add_lines(connection, too_late(known, orders, frozenset()))
    return order if row.rank < CANCELLED else None


def _keeping(
    kind: Literal["cancel", "move", "group"], event: e.Cancel | e.Move, topic: str, owner: str | None = None
) -> Keeping:
    text = event.model_dump_json(exclude_none=True)
    return Keeping(event.subject, event.command, kind, event.tenant, owner, event.edit, topic, text, event.accepted_at)


async def change_entry(connection: Connection, person: Person, id: UUID, change: Change) -> list[Kept] | None:
    """A person has read or archived an entry of the inbox. None: there is no such entry. Twice is once."""
    counters = await inbox.lock_people(connection, [person])
    entry = await inbox.entry(connection, person, id)
    if entry is None:
        return None
    if entry.has(change):
        return []
    return await _change(connection, person, [entry], change, counters[person])


async def read_all(connection: Connection, person: Person) -> list[Kept]:
    """A person has read all that was unread."""
    counters = await inbox.lock_people(connection, [person])
    unread = await inbox.unread_entries(connection, person)
    return await _change(connection, person, unread, "read", counters[person]) if unread else []


async def _change(
    connection: Connection, person: Person, entries: Sequence[Entry], change: Change, last: int
) -> list[Kept]:
    """Each change has an offset of its own in the person's stream, raised in this transaction."""
    at = await outbox.now(connection)
    changed = [(entry, last + n) for n, entry in enumerate(entries, start=1)]
    await inbox.mark(connection, [(entry.id, offset) for entry, offset in changed], change, at)
    await inbox.set_counters(connection, {person: last + len(entries)})
    events = [_changed(entry, change, offset, at) for entry, offset in changed]
    await stream.note(connection, events)
    await outbox.keep(connection, [_keeping_change(event) for event in events])
    return [Kept((event.id, event.ce_id), event) for event in events]


def _changed(entry: Entry, change: Change, offset: int, at: datetime) -> e.InboxChanged:
    of = e.OfNotification.model_validate_json(entry.notification)
    return e.InboxChanged(**of.passed_on(), change=change, at=at, offset=offset)


def _keeping_change(event: e.InboxChanged) -> Keeping:
    text = event.model_dump_json(exclude_none=True)
    return Keeping(event.id, event.ce_id, "inbox", event.tenant, None, 0, topics.SENT.name, text, event.at)
