"""Spans as they leave a service, and services that nobody listens to."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from contracts import trace
from kit.tracing import OFF, tracer_of
from kit.tracing.choosing import is_wanted
from kit.tracing.exporting import Exporting, exporting

ONE, ANOTHER = UUID(int=1), UUID(int=2)
ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RECORDED, NOT_RECORDED = f"00-{ID}-{SPAN}-01 a=b", f"00-{ID}-{SPAN}-00 a=b"
WHERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.fixture
def memory() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(memory: InMemorySpanExporter) -> Exporting:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    return Exporting(provider)


def trace_id(span: ReadableSpan) -> str:
    assert span.context
    return f"{span.context.trace_id:032x}"


def test_what_was_done_hangs_below_the_request(tracer: Exporting, memory: InMemorySpanExporter) -> None:
    with tracer.entry("POST /v1/notifications", RECORDED) as way:
        way.about(ONE)
    assert way.trace
    tracer.done("send", [(ONE, way.trace)], tracer.now(), "client", "refused", provider="smtp")
    post, send = memory.get_finished_spans()
    assert trace_id(post) == trace_id(send) == trace.id_of(way.trace) == ID
    assert post.parent and f"{post.parent.span_id:016x}" == SPAN
    assert send.parent and post.context and send.parent.span_id == post.context.span_id
    assert way.trace.endswith(" a=b")
    assert send.status.status_code is StatusCode.ERROR
    assert (send.attributes or {}).items() >= {"tocsin.notification.id": str(ONE), "tocsin.provider": "smtp"}.items()


def test_without_a_trace_the_request_begins_one(tracer: Exporting, memory: InMemorySpanExporter) -> None:
    with tracer.entry("POST /v1/notifications", None) as way:
        pass
    (post,) = memory.get_finished_spans()
    assert post.parent is None and way.trace and trace.id_of(way.trace) == trace_id(post)


def test_what_nobody_asked_for_begins_a_trace_of_its_own(tracer: Exporting, memory: InMemorySpanExporter) -> None:
    begun = tracer.begin("fire", [ONE, ANOTHER])
    assert memory.get_finished_spans() == ()
    for entry in begun.values():
        entry.__exit__(None, None, None)
    spans = memory.get_finished_spans()
    assert [trace_id(span) for span in spans] == [trace.id_of(entry.trace or "") for entry in begun.values()]
    assert len({trace_id(span) for span in spans}) == 2 and all(span.parent is None for span in spans)
    assert [(span.attributes or {})["tocsin.notification.id"] for span in spans] == [str(ONE), str(ANOTHER)]
    assert OFF.begin("fire", [ONE]) == {}


def test_what_its_beginner_does_not_record_is_passed_on_and_not_recorded(
    tracer: Exporting, memory: InMemorySpanExporter
) -> None:
    with tracer.entry("POST /v1/notifications", NOT_RECORDED) as way:
        way.about(ONE)
    tracer.done("judge", [(ONE, way.trace), (ANOTHER, None)], tracer.now())
    assert way.trace == NOT_RECORDED and memory.get_finished_spans() == ()


def test_each_notification_of_a_batch_has_its_own(tracer: Exporting, memory: InMemorySpanExporter) -> None:
    other = RECORDED.replace("4b", "5c", 1)
    tracer.done("judge", [(ONE, RECORDED), (ANOTHER, other)], tracer.now())
    assert [trace_id(span) for span in memory.get_finished_spans()] == [trace.id_of(RECORDED), trace.id_of(other)]


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        (WHERE, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        (WHERE | {"OTEL_SDK_DISABLED": "true"}, False),
        (WHERE | {"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ],
)
def test_opentelemetrys_own_variables_decide(environ: dict[str, str], wanted: bool) -> None:
    assert is_wanted(environ) is wanted
    assert (tracer_of("intake", environ) is not OFF) is wanted


def test_without_the_library_the_service_goes_on_and_says_what_helps(capsys: pytest.CaptureFixture[str]) -> None:
    assert tracer_of("intake", WHERE, there=lambda _: False) is OFF
    assert tracer_of("intake", {}, there=lambda _: False) is OFF
    assert capsys.readouterr().out.count("scripts/venv.sh tracing") == 1


def test_where_nobody_listens_a_trace_is_passed_on() -> None:
    with OFF.entry("POST /v1/notifications", RECORDED) as way:
        way.about(ONE)
    assert way.trace == RECORDED and OFF.now() == 0


async def test_a_collector_that_is_away_keeps_no_service_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in WHERE.items():
        monkeypatch.setenv(name, value)
    tracer = exporting("intake")
    tracer.done("judge", [(ONE, RECORDED)], tracer.now())
    async with asyncio.timeout(20):
        await tracer.close()
