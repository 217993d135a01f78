"""What nobody asked for at its moment begins a trace at its firing: reminders, daily reports, what schedules send."""

from __future__ import annotations

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from contracts import events as e
from contracts import trace
from kit.bus.publisher import Publisher
from kit.postgres import Database
from kit.tracing.exporting import Exporting
from services.scheduler.firing import Shelf
from services.scheduler.shelves.considering import Considering
from services.scheduler.shelves.deadlines import Deadlines
from services.scheduler.shelves.schedules import Schedules
from tests.services.scheduler.schedules import NOON, ZONES, Said, schedule
from tests.services.scheduler.support import Listener, Owner
from tests.services.scheduler.tracking import WEEK_BEFORE, ZONE, Desk, dossier, person


def recording() -> tuple[Exporting, InMemorySpanExporter]:
    provider, memory = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    return Exporting(provider), memory


async def fired(shelf: Shelf[object], db: Database, publisher: Publisher) -> None:
    async with db.transaction() as connection:
        now = (await shelf.look(connection, None)).now
        taken = await shelf.take(connection, None, now, 50)
        await shelf.settle(connection, taken, await shelf.say(publisher, taken, now), now)


def begun(events: list[e.Event], memory: InMemorySpanExporter) -> bool:
    """Each notification is in a trace of its own, of which the firing is the beginning."""
    requests = {str(event.id): event.trace or "" for event in events if isinstance(event, e.Requested)}
    spans = {
        str((span.attributes or {})["tocsin.notification.id"]): f"{span.context.trace_id:032x}"
        for span in memory.get_finished_spans()
        if span.name == "fire" and span.parent is None and span.context
    }
    traces = {id: trace.id_of(text) for id, text in requests.items()}
    return traces == spans and len(set(traces.values())) == len(events)


async def test_what_a_schedule_sends(db: Database, owner: Owner, publisher: Publisher, listener: Listener) -> None:
    tracer, memory = recording()
    await owner.set_clock(NOON)
    await Said(owner)(db, schedule(recipients=["bob", "eve"]), schedule("other"))
    await fired(Schedules(ZONES, tracer), db, publisher)
    assert begun(await listener.hear(3), memory)


async def test_a_reminder_and_a_cancel_that_has_none(
    db: Database, owner: Owner, publisher: Publisher, listener: Listener
) -> None:
    tracer, memory = recording()
    desk = Desk(db)
    await owner.set_clock(WEEK_BEFORE)
    await desk.hears(person(), dossier())
    await fired(Deadlines(Considering(ZONE, "18:00"), tracer), db, publisher)
    assert begun(await listener.hear(1), memory)
    await desk.hears(dossier(status="closed"))
    await fired(Deadlines(Considering(ZONE, "18:00"), tracer), db, publisher)
    assert isinstance((await listener.hear(2))[-1], e.Cancel) and len(memory.get_finished_spans()) == 1
