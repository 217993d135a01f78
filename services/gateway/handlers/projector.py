"""Everything that happened to notifications, onto the rows and timelines that people see (P2)."""

from collections.abc import Collection, Sequence
from uuid import UUID

from contracts.cloudevents import Undecodable
from contracts.topics import BY_NAME
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message
from services.gateway.handlers import webhooks
from services.gateway.handlers.echoes import Echo
from services.gateway.rules import consequences, projection
from services.gateway.rules.consequences import Known, Row
from services.gateway.rules.projection import SENT, Batch
from services.gateway.rules.search import MARKS, STATUS
from services.gateway.store import outbox, projecting


async def project(connection: Connection, messages: Sequence[Message]) -> Sequence[Outgoing]:
    """A batch of events in a handful of statements; whatever their order, the result is the same."""
    messages, known = await _without_echoes(connection, messages)
    batch = projection.fold((x.event, x.received.timestamp, x.received.value) for x in messages)
    rows, cleaned = await _write_rows(connection, batch) if batch.changes else ([], [])
    await _note_commands(connection, batch)
    await _write_lines(connection, batch, rows)
    await _end_answered(connection, batch, [*rows, *cleaned])
    await _keep_the_rest(connection, batch, rows)
    if watched := {row.id: row.tenant for row in rows if row.watched}:
        await webhooks.tell(connection, messages, watched)
    # Behind what may wait for other projectors: this waits for nobody.
    moved = await projecting.label(connection, known) if known else []
    if moves := consequences.counts([*moved, *(row.move for row in rows)]):
        # Last: these rows are the ones that gateways share, and so they are locked for a moment only.
        await projecting.count(connection, moves)
    return ()


async def _without_echoes(
    connection: Connection, messages: Sequence[Message]
) -> tuple[Sequence[Message], Collection[UUID]]:
    """What is to be projected, and whose request stands in our tables as it was accepted. What does not (it was cleaned
    up, or comes from before a restore) is read after all."""
    echoes = {x.event.id for x in messages if isinstance(x.event, Echo)}
    if not echoes:
        return messages, ()
    known = await projecting.accepted_here(connection, echoes)
    told = [_read(x) if isinstance(x.event, Echo) and x.event.id not in known else x for x in messages]
    return [x for x in told if x and not isinstance(x.event, Echo)], known


def _read(echo: Message) -> Message | None:
    """The record itself. None of poison, which intake reports (P7): raised here, it would cost the whole batch its
    transaction, and whoever writes ten a second would hold us up."""
    received = echo.received
    try:
        event = received.event(BY_NAME[received.topic])
    except Undecodable:
        return None
    return echo._replace(event=event) if event else None


async def _write_rows(connection: Connection, batch: Batch) -> tuple[list[Row], list[Row]]:
    """The rows, and those of what was cleaned up: that is not made anew by what comes about it late, or comes again
    (P8), which is an answer all the same."""
    rows = await projecting.upsert(connection, batch.changes.values())
    cleaned = [row for row in rows if row.was_cleaned]
    if cleaned:
        parents = await projecting.take_back(connection, [row.id for row in cleaned])
        cleaned = [row._replace(parent=parents.get(row.id)) for row in cleaned]
    return [row for row in rows if not row.was_cleaned], cleaned


async def _note_commands(connection: Connection, batch: Batch) -> None:
    if orders := batch.orders:
        await projecting.note_commands(connection, orders)
    for cancel in batch.group_cancels:
        await projecting.note_group_cancel(connection, cancel)


async def _write_lines(connection: Connection, batch: Batch, rows: Sequence[Row]) -> None:
    """What happened, and what came too late for it."""
    lines = [(row.place, entry) for row in rows for entry in batch.changes[row.id].entries]
    known: list[Known | Row] = [row for row in rows if row.rank >= SENT]
    if elsewhere := [order.id for order in batch.orders if order.id not in batch.changes]:
        known += await projecting.known(connection, elsewhere)
    if known:
        orders = await projecting.commands_about(connection, [row.id for row in known])
        lines += consequences.too_late(known, orders, batch.cancelled)
    await projecting.add_lines(connection, lines)


async def _end_answered(connection: Connection, batch: Batch, rows: Sequence[Row]) -> None:
    if answers := consequences.answers(rows, batch.changes):
        await outbox.end_answered(connection, answers)
    if batch.groups:
        await outbox.end_groups(connection, batch.groups)
    if batch.inbox:
        await outbox.end_inbox(connection, batch.inbox)


async def _keep_the_rest(connection: Connection, batch: Batch, rows: Sequence[Row]) -> None:
    """The words a notification is found by, refusals (P1) and poison (P7)."""
    finds = [
        (row.tenant, key, value, row.place)
        for row in rows
        if not row.asked_here
        for key, value in batch.changes[row.id].finds
    ]
    finds += [
        (row.tenant, STATUS, MARKS[row.rank], row.place) for row in rows if row.rank in MARKS and row.is_new_there
    ]
    if finds:
        await projecting.add_finds(connection, finds)
    if batch.refusals:
        await projecting.add_refusals(connection, batch.refusals)
    if batch.poison:
        await projecting.add_poison(connection, batch.poison)
