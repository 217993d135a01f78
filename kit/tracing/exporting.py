"""Spans by OpenTelemetry, sent to whoever collects them. Imported only where that is wanted."""

import asyncio
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from contracts import trace as context
from kit.tracing.tracer import Entry, Kind, Traced, Tracer

NAMESPACE: Final = "tocsin"
GOODBYE_MS: Final = 2_000
"""So long a service that ends waits for the collector."""
KINDS: Final[dict[Kind, SpanKind]] = {"consumer": SpanKind.CONSUMER, "client": SpanKind.CLIENT}
ID: Final = "tocsin.notification.id"


def exporting(service: str) -> "Exporting":
    """Where to, how many and how often is said by OpenTelemetry's variables."""
    resource = Resource.create({"service.namespace": NAMESPACE, "service.name": service})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    # In batches, by a thread of its own; when nobody takes them they are dropped, and no message waits.
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Exporting(provider)


class Exporting(Tracer):
    """Spans of one service. What whoever began a trace does not record is passed on, and not recorded here either."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(NAMESPACE)

    def now(self) -> int:
        return time.time_ns()

    def entry(self, name: str, given: str | None) -> Entry:
        if given and not context.is_sampled(given):
            return Entry(given)
        span = self._tracer.start_span(name, _within(given), SpanKind.SERVER)
        return Recorded(span) if span.is_recording() else Entry(given)

    def begin(self, name: str, of: Iterable[UUID]) -> Mapping[UUID, Entry]:
        spans = {id: self._tracer.start_span(name, Context(), SpanKind.PRODUCER, {ID: str(id)}) for id in of}
        return {id: Recorded(span) for id, span in spans.items() if span.is_recording()}

    def done(
        self, name: str, of: Iterable[Traced], began: int, kind: Kind = "consumer", error: str = "", **more: str
    ) -> None:
        ended = self.now()
        for id, trace in of:
            if trace and context.is_sampled(trace):
                about = {ID: str(id), **{f"tocsin.{field}": value for field, value in more.items()}}
                span = self._tracer.start_span(name, _within(trace), KINDS[kind], about, start_time=began)
                if error:
                    span.set_status(Status(StatusCode.ERROR, error))
                span.end(ended)

    async def close(self) -> None:
        """By a thread that nobody waits for at the end: the library tries a collector that is away for as long as it
        likes."""
        loop, flushed = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            self._provider.force_flush(GOODBYE_MS)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(flushed.set)

        threading.Thread(target=flush, daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_MS / 1000):
                await flushed.wait()


class Recorded(Entry):
    """The span of a request, or of a firing: all that is done for its notifications hangs below it."""

    def __init__(self, span: Span) -> None:
        super().__init__(_text(span.get_span_context()))
        self._span = span

    def about(self, id: UUID) -> None:
        self._span.set_attribute(ID, str(id))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if kind:
            self._span.set_status(Status(StatusCode.ERROR, kind.__name__))
        self._span.end()


def _within(trace: str | None) -> Context:
    """Below the span that a trace names; a new trace for None."""
    if trace is None:
        return Context()
    parent, state = trace[: context.PARENT], trace[context.PARENT + 1 :]
    _, trace_id, span_id, flags = parent.split("-")
    told = SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=TraceState.from_header([state]) if state else TraceState(),
    )
    return set_span_in_context(NonRecordingSpan(told), Context())


def _text(span: SpanContext) -> str | None:
    parent = f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
    return context.given(parent, span.trace_state.to_header())
