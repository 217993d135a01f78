"""What became of what was handed over: kept for who asks again, and so that the sweep is quiet (P3.9)."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from contracts import events as e
from kit.bus.record import Outgoing, Received
from kit.postgres import Connection
from kit.stage import Message
from services.intake.rules.facts import Facts
from services.intake.rules.hearing import ENDS_STEPS, Known, acknowledged, heard, postponed, steps_after
from services.intake.rules.row import Moment, Row
from services.intake.rules.suppressing import following, place_of
from services.intake.store import counts, rows, suppressions

STAGE = "outcomes"

Rows = dict[UUID, Row]


async def hear(connection: Connection, messages: Sequence[Message]) -> list[Outgoing]:
    """The handler of `sent`, `failed` and `retry`. It speaks only when somebody has read what would have escalated, and
    when an address is to blame.

    Outcomes come first, and they commute with the rest: what has ended, no retry postpones.
    """
    told = [(m.event, m.received) for m in messages if isinstance(m.event, e.Taken | e.Failed)]
    others = [m for m in messages if isinstance(m.event, e.Retry | e.InboxChanged)]
    known = await rows.lock_known(connection, {event.id for event, _ in told} | {m.event.subject for m in others})
    await _end(connection, known, told)
    blaming = [(event, received.timestamp) for event, received in told if event.suppress]
    suppressed = await _suppress(connection, blaming) if blaming else []
    return [*suppressed, *(await _hear_the_rest(connection, others) if others else [])]


async def _end(
    connection: Connection, known: Mapping[UUID, Known], told: Iterable[tuple[e.Taken | e.Failed, Received]]
) -> None:
    after = dict(known)
    for event, received in told:
        if row := after.get(event.id):
            after[row.id] = heard(row, event, received.value or b"")
    changed = rows.changed(known, after.values())
    if ended := [row for row in changed if row.answer is not None]:
        await rows.end(connection, ended)
    if counted := [row for row in changed if row.answer is None]:
        await rows.raise_unknown(connection, counted)
    await counts.add(connection, STAGE, counts.Tally(known, changed))


async def _suppress(connection: Connection, blaming: Sequence[tuple[e.Taken | e.Failed, datetime]]) -> list[Outgoing]:
    """P3.10: the addresses that are to blame; intake alone knows which they were."""
    blamed = {row.id: row for row in await rows.read(connection, [event.id for event, _ in blaming])}
    places = {place for row in blamed.values() if (place := place_of(row))}
    known = await suppressions.standing(connection, places) if places else {}
    said: dict[str, e.Setting] = {}
    for event, heard_at in blaming:
        row = blamed.get(event.id)
        if row and (found := following(row, event, known, heard_at)):
            said.setdefault(found.key, found)
    return [Outgoing.of(event) for event in said.values()]


async def _hear_the_rest(connection: Connection, messages: Sequence[Message]) -> list[Outgoing]:
    """Retries and what became of entries of an inbox; what ends an escalation matters here."""
    moment = await rows.moment(connection)
    before = await rows.lock(connection, {m.event.subject for m in messages})
    after = dict(before)
    for message in messages:
        match message.event:
            case e.Retry(id=id, at=at) if id in after:
                after[id] = postponed(after[id], at, moment)
    before, said = await _acknowledge(connection, messages, before, after, moment)
    if changed := rows.changed(before, after.values()):
        await rows.update(connection, changed, moment)
        await counts.add(connection, STAGE, counts.Tally(before, changed))
    return [Outgoing.of(event) for event in said]


async def _acknowledge(
    connection: Connection, messages: Sequence[Message], before: Rows, after: Rows, moment: Moment
) -> tuple[Rows, list[e.Event]]:
    """P3.8: what was to follow if nobody read it. The rows before, with those that had to be read for this."""
    reasons = _reasons(messages)
    read = [after[id] for id in reasons if id in after and after[id].steps]
    missing = {id for row in read for id in steps_after(row)} - before.keys()
    if not read:
        return before, []
    steps = await rows.lock(connection, missing) if missing else {}
    after.update(steps)
    said: list[e.Event] = []
    for row in read:
        for step in acknowledged(row, after, Facts(), moment, reasons[row.id]):
            if step.row:
                after[step.row.id] = step.row
            said += step.said
    return before | steps, said


def _reasons(messages: Sequence[Message]) -> dict[UUID, str]:
    """Why nothing has to follow these entries: by what happened first."""
    reasons: dict[UUID, str] = {}
    for message in messages:
        if isinstance(message.event, e.InboxChanged) and message.event.change in ENDS_STEPS:
            reasons.setdefault(message.event.id, ENDS_STEPS[message.event.change])
    return reasons
