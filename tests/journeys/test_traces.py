"""One trace per notification, from whoever asked for it to the provider: as a collector of OpenTelemetry sees it."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from contracts.identity import notification_id
from tests import servers as real
from tests.journeys.stack import Stack
from tests.journeys.test_first_journeys import mail, publish
from tests.waiting import PATIENCE, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPAN: Final = "00f067aa0ba902b7"
POST: Final = ("gateway", "POST /v1/notifications")
SENDER: Final = {("email_sender", "claim"), ("email_sender", "send")}
AT_ONCE: Final = {POST, ("intake", "judge"), *SENDER, ("gateway", "projector")}
LATER: Final = AT_ONCE | {("scheduler", "scheduler"), ("scheduler", "fire")}


@dataclass(frozen=True)
class Span:
    """What a service told of its work."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    about: dict[str, str]
    failed: bool


@dataclass
class Collector:
    """OTLP over HTTP on the loopback: remembers every span that comes."""

    spans: list[Span] = field(default_factory=list)
    address: str = ""

    def of(self, trace: str) -> list[Span]:
        return [span for span in self.spans if span.trace == trace]

    def roots(self) -> list[Span]:
        """Firings that began a trace."""
        return [span for span in self.spans if span.name == "fire" and not span.parent]

    def take(self, body: bytes) -> None:
        for of_service in ExportTraceServiceRequest.FromString(body).resource_spans:
            (service,) = [a.value.string_value for a in of_service.resource.attributes if a.key == "service.name"]
            for scope in of_service.scope_spans:
                for span in scope.spans:
                    about = {a.key: a.value.string_value for a in span.attributes}
                    ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                    self.spans.append(Span(service, span.name, *ids, about, span.status.code == 2))


@contextmanager
def listening() -> Iterator[Collector]:
    collector = Collector()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    collector.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with listening() as collector:
        yield collector


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(
    session: real.Session, kafka_address: str, postgres_url: str, template: str, collector: Collector
) -> AsyncIterator[Stack]:
    """A stack whose services send their spans to the collector."""
    kafka = real.kafka_settings(kafka_address)
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    async with real.copied_database(postgres_url, template) as database:
        folder = session.new_folder("traced")
        async with Stack(kafka, database, folder, session.look_after, settings=settings) as stack:
            yield stack
    await real.delete_topics(kafka)


async def post(stack: Stack, body: dict[str, Any], parent: str, state: str = "") -> str:
    headers = {"traceparent": parent} | ({"tracestate": state} if state else {})
    answer = await stack.call("POST", "/v1/notifications", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def told(collector: Collector, trace: str, wanted: set[tuple[str, str]]) -> list[Span]:
    """The spans of a trace, once all that are wanted have come."""
    await eventually(lambda: {(one.service, one.name) for one in collector.of(trace)} >= wanted, PATIENCE)
    return collector.of(trace)


def facts(stack: Stack, id: str) -> list[dict[str, Any]]:
    """What the logs tell of one notification."""
    lines = (json.loads(line) for line in (stack.folder / "logs/notifications.log").read_text().splitlines())
    return [line for line in lines if line.get("id") == id]


async def test_from_the_request_to_the_provider_it_is_one_trace(stack: Stack, collector: Collector) -> None:
    trace = uuid4().hex
    id = await post(stack, mail("traced@example.com"), f"00-{trace}-{SPAN}-01")
    spans = await told(collector, trace, AT_ONCE)
    (first,) = [span for span in spans if (span.service, span.name) == POST]
    assert first.parent == SPAN
    assert {span.parent for span in spans if span is not first} == {first.id}
    assert {span.about["tocsin.notification.id"] for span in spans} == {id}
    (sent,) = [span for span in spans if span.name == "send"]
    assert sent.about["tocsin.provider"] == "smtp" and not sent.failed


async def test_the_timeline_and_every_line_of_the_logs_name_it(stack: Stack) -> None:
    trace = uuid4().hex
    id = await post(stack, mail("named@example.com"), f"00-{trace}-{SPAN}-01")
    assert (await stack.final(id))["trace_id"] == trace
    lines = facts(stack, id)
    assert {line["event"] for line in lines} >= {"requested", "due", "sent"}
    assert {line["trace_id"] for line in lines} == {trace}
    assert {line["service"] for line in lines} >= {"gateway", "intake", "email_sender"}


async def test_what_waits_for_its_time_belongs_to_it_still(stack: Stack, collector: Collector) -> None:
    trace = uuid4().hex
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    id = await post(stack, mail("later@example.com", send_at=at), f"00-{trace}-{SPAN}-01")
    await stack.wait_for(id, lambda seen: seen["status"] == "scheduled")
    owner = await asyncpg.connect(stack.database)
    await owner.execute("update tocsin.clock_offset set by = interval '2 hours'")
    await owner.close()
    await told(collector, trace, LATER)
    assert [line["trace_id"] for line in facts(stack, id) if line["event"] == "ripe"] == [trace]
    await eventually(lambda: sum(span.name == "judge" for span in collector.of(trace)) == 2, PATIENCE)


async def test_a_retry_belongs_to_it_with_the_attempt_that_failed(stack: Stack, collector: Collector) -> None:
    trace = uuid4().hex
    id = await post(stack, mail("once-450+traced@example.com"), f"00-{trace}-{SPAN}-01")
    assert (await stack.final(id))["status"] == "sent"
    await told(collector, trace, LATER)
    await eventually(lambda: sum(span.name == "send" for span in collector.of(trace)) == 2, PATIENCE)
    assert [span.failed for span in collector.of(trace) if span.name == "send"] == [True, False]


async def test_a_program_on_kafka_brings_its_trace_in_a_header(stack: Stack, collector: Collector) -> None:
    trace = uuid4().hex
    request = json.dumps(mail("kafka@example.com")).encode()
    key = f"traced-{trace}"
    await publish(stack, request, ce_id=key, ce_source="shop", traceparent=f"00-{trace}-{SPAN}-01")
    spans = await told(collector, trace, AT_ONCE - {POST})
    assert {span.parent for span in spans} == {SPAN}
    id = str(notification_id("default", "source:shop", key))
    assert (await stack.final(id))["trace_id"] == trace


async def test_what_a_schedule_sends_is_one_trace_from_its_firing(stack: Stack, collector: Collector) -> None:
    """Nobody asked for it at that moment: the trace begins there."""
    body = {
        "cron": "0 0 1 1 *",
        "recipients": [{"to": "recurring@example.com"}],
        "notification": {"channel": "email", "subject": "s", "body": "b"},
    }
    made = await stack.call("POST", "/v1/schedules", json=body)
    assert made.is_success, made.text
    assert (await stack.call("POST", f"/v1/schedules/{made.json()['id']}/run")).is_success
    begun = {("scheduler", "fire"), ("intake", "judge"), *SENDER, ("gateway", "projector")}
    await eventually(collector.roots, PATIENCE)
    (root,) = collector.roots()
    spans = await told(collector, root.trace, begun)
    assert {span.parent for span in spans if span is not root} == {root.id}
    assert (await stack.final(root.about["tocsin.notification.id"]))["trace_id"] == root.trace


async def test_a_trace_that_nobody_records_is_passed_on_without_spans(stack: Stack, collector: Collector) -> None:
    trace, marker = uuid4().hex, uuid4().hex
    id = await post(stack, mail("quiet@example.com"), f"00-{trace}-{SPAN}-00", "shop=1")
    assert (await stack.final(id))["trace_id"] == trace
    await post(stack, mail("loud@example.com"), f"00-{marker}-{SPAN}-01")
    await told(collector, marker, AT_ONCE)
    assert collector.of(trace) == []
    assert {line.get("trace_id") for line in facts(stack, id)} == {trace}


@pytest.mark.parametrize("parent", ["nonsense", f"00-{'0' * 32}-{SPAN}-01", f"ff-{'1' * 32}-{SPAN}-01"])
async def test_a_bad_traceparent_is_no_error_and_the_request_has_a_trace_of_its_own(
    stack: Stack, collector: Collector, parent: str
) -> None:
    seen = await stack.final(await post(stack, mail("bad@example.com"), parent))
    assert seen["status"] == "sent"
    spans = await told(collector, seen["trace_id"], AT_ONCE)
    assert [span.parent for span in spans if (span.service, span.name) == POST] == [""]


async def test_two_channels_of_one_request_are_one_trace(stack: Stack, collector: Collector) -> None:
    trace = uuid4().hex
    person = {"email": "two@example.com", "phone": "+15005550001"}
    assert (await stack.call("PUT", "/v1/recipients/two", admin=True, json=person)).is_success
    body = {"channels": ["email", "sms", "inapp"], "user_id": "two", "subject": "s", "body": "b"}
    answer = await stack.call(
        "POST", "/v1/notifications", admin=True, json=body, headers={"traceparent": f"00-{trace}-{SPAN}-01"}
    )
    assert answer.status_code == 202, answer.text
    wanted = {("email_sender", "send"), ("sms_sender", "send"), ("gateway", "inapp")}
    await told(collector, trace, wanted)
