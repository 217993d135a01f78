"""What became of what was handed over: kept for who asks again, and so that the sweep is quiet (P3.9)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from contracts import events as e
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message
from services.intake.rules.facts import Facts
from services.intake.rules.hearing import acknowledged, heard, postponed, steps_after
from services.intake.rules.row import Moment, Row
from services.intake.store import counts, rows

STAGE = "outcomes"

Rows = dict[UUID, Row]


async def hear(connection: Connection, messages: Sequence[Message]) -> list[Outgoing]:
    """The handler of `sent`, `failed` and `retry`. It speaks only when somebody has read what would have escalated."""
    moment = await rows.moment(connection)
    ids = {m.event.id for m in messages if isinstance(m.event, e.Taken | e.Failed | e.Retry | e.InboxChanged)}
    before = await rows.lock(connection, ids) if ids else {}
    after = dict(before)
    for message in messages:
        _apply(after, message, moment)
    before, said = await _acknowledge(connection, messages, before, after, moment)
    await _write(connection, before, after, moment)
    return [Outgoing.of(event) for event in said]


def _apply(after: Rows, message: Message, moment: Moment) -> None:
    match message.event:
        case (e.Taken(id=id) | e.Failed(id=id)) as event if id in after:
            after[id] = heard(after[id], event, message.received.value or b"")
        case e.Retry(id=id, at=at) if id in after:
            after[id] = postponed(after[id], at, moment)


async def _acknowledge(
    connection: Connection, messages: Sequence[Message], before: Rows, after: Rows, moment: Moment
) -> tuple[Rows, list[e.Event]]:
    """P3.8: what was to follow if nobody read it. The rows before, with those that had to be read for this."""
    entries = {m.event.id for m in messages if isinstance(m.event, e.InboxChanged) and m.event.change == "read"}
    read = [after[id] for id in entries if id in after and after[id].steps]
    missing = {id for row in read for id in steps_after(row)} - before.keys()
    if not read:
        return before, []
    steps = await rows.lock(connection, missing) if missing else {}
    after.update(steps)
    said: list[e.Event] = []
    for row in read:
        for step in acknowledged(row, after, Facts(), moment):
            if step.row:
                after[step.row.id] = step.row
            said += step.said
    return before | steps, said


async def _write(connection: Connection, before: Mapping[UUID, Row], after: Rows, moment: Moment) -> None:
    changed = rows.changed(before, after.values())
    heard_of = [row for row in changed if row.answer is not None]
    if heard_of:
        await rows.end(connection, heard_of)
    if others := [row for row in changed if row.answer is None]:
        await rows.update(connection, others, moment)
    await counts.add(connection, STAGE, counts.Tally(before, changed))
