"""What people ask for about what is there already: cancel, move. Both are kept as requests are."""

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
from services.gateway.store import outbox, projecting
from services.gateway.store.outbox import Keeping, Key

URGENT: Final = topics.REQUESTED[Lane.URGENT].name
NORMAL: Final = topics.REQUESTED[Lane.NORMAL].name


@dataclass(frozen=True, slots=True)
class Kept:
    """A command that is in the outbox, and what is published of it once that is committed."""

    key: Key
    event: e.Event


async def cancel(connection: Connection, tenant: str, id: UUID, command: UUID, reason: str | None = None) -> list[Kept]:
    """Ask for the end of one notification; nothing is kept when it has ended already (P3.4)."""
    order = await _order(connection, id, command, "cancel")
    if order is None:
        return []
    event = e.Cancel(tenant=tenant, command=command, id=id, edit=order.edit, accepted_at=order.at, reason=reason)
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
    """Number and remember an edit. None: it has ended; what a provider took gets its `too_late` at once (P2), and what
    was cleaned up this very moment has no timeline any more."""
    row = await outbox.lock(connection, id)
    if row is None:
        return None
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
