"""In-app notifications into inboxes, each exactly once: the row that decides is also the claim (P6.2, P5.8)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from contracts import events as e
from contracts.status import Channel, Status
from kit.bus.record import Outgoing
from kit.metrics import Metrics
from kit.postgres import Connection
from kit.postgres.clocks import clock
from kit.stage import Handle, Message
from services.gateway.rules import inbox
from services.gateway.rules.inbox import Claim
from services.gateway.store import inbox as store
from services.gateway.store.inbox import Person


async def show(connection: Connection, messages: Sequence[Message]) -> Sequence[Outgoing]:
    """Decide about each once, say what was decided as often as it is asked."""
    dues = inbox.fold(message.event for message in messages if isinstance(message.event, e.Due))
    counters = await store.lock_people(connection, {_person(due) for due in dues})
    claims = await store.claims(connection, [due.id for due in dues])
    if new := [due for due in dues if due.id not in claims]:
        claims |= await _decide(connection, new, counters)
    if quicker := [due.id for due in dues if due.id not in claims]:
        # Another gateway has decided meanwhile, for a person whose name this `end` does not carry.
        claims |= await store.claims(connection, quicker)
    return [Outgoing.of(inbox.answer(due, claims[due.id])) for due in dues]


def timed(metrics: Metrics) -> Handle:
    """`show`, and how long each was on its way until the inbox had it."""

    async def show_and_time(connection: Connection, messages: Sequence[Message]) -> Sequence[Outgoing]:
        said = await show(connection, messages)
        wanted = {one.event.id: _wanted_at(one.event) for one in messages if isinstance(one.event, e.Due)}
        sent = [one.event for one in said if isinstance(one.event, e.Sent)]
        metrics.ended(Channel.INAPP, [max((one.at - wanted[one.id]).total_seconds(), 0.0) for one in sent])
        return said

    return show_and_time


def counted(metrics: Metrics) -> Callable[[Sequence[Outgoing]], None]:
    """What was shown and what ended, as figures; a batch that is done again is counted again."""

    def count(said: Sequence[Outgoing]) -> None:
        for one in said:
            match one.event:
                case e.Sent():
                    metrics.sent(Channel.INAPP, inbox.PROVIDER)
                case e.Failed() as event:
                    metrics.failed(Channel.INAPP, event.outcome, event.reason)

    return count


async def _decide(connection: Connection, dues: Sequence[e.Due], counters: dict[Person, int]) -> dict[UUID, Claim]:
    now = await clock(connection)
    rows = []
    for due in dues:
        outcome, reason = inbox.decide(due, now)
        if outcome is Status.SENT:
            counters[_person(due)] += 1
        rows.append((due, outcome, reason, counters[_person(due)] if outcome is Status.SENT else None))
    made = await store.add(connection, rows)
    await store.set_counters(connection, counters)
    return made


def _wanted_at(due: e.Due) -> datetime:
    """Its planned instant, or that of its acceptance."""
    return max(due.at, due.accepted_at)


def _person(due: e.Due) -> Person:
    return due.tenant, due.user_id or ""
