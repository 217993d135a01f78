"""Which trace a request belongs to, read from headers that anybody may write."""

from __future__ import annotations

from uuid import UUID

import pytest

from contracts import trace
from contracts.cloudevents import decode, encode
from contracts.events import Event, Requested
from contracts.status import Lane
from contracts.topics import REQUESTED
from tests.contracts.golden import PLACE, golden

ID, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{ID}-{SPAN}-01"
TOPIC = REQUESTED[Lane.NORMAL]


@pytest.mark.parametrize(
    ("parent", "state", "text"),
    [
        (PARENT, None, PARENT),
        (f" {PARENT} ", "", PARENT),
        (PARENT, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", f"{PARENT} congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
        (PARENT, "no list", PARENT),
        (PARENT, "a=" + "x" * 511, PARENT),
        (PARENT, "a=\x00", PARENT),
        (PARENT, "a=é", PARENT),
        (f"01-{ID}-{SPAN}-00-more-to-come", None, f"00-{ID}-{SPAN}-00"),
        (f"cc-{ID}-{SPAN}-01", None, PARENT),
        (f"{PARENT}-more", None, None),
        (f"ff-{ID}-{SPAN}-01", None, None),
        (f"00-{'0' * 32}-{SPAN}-01", None, None),
        (f"00-{ID}-{'0' * 16}-01", None, None),
        (PARENT.upper(), None, None),
        (f"00-{ID}-{SPAN}", None, None),
        ("nonsense", "a=b", None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_a_malformed_trace_is_none_and_nobodys_error(parent: str | None, state: str | None, text: str | None) -> None:
    assert trace.given(parent, state) == text


def test_its_id_and_whether_it_is_recorded() -> None:
    assert trace.id_of(f"{PARENT} a=b") == ID
    assert trace.is_sampled(PARENT) and trace.is_sampled(f"00-{ID}-{SPAN}-03")
    assert not trace.is_sampled(f"00-{ID}-{SPAN}-00 a=b")


@pytest.mark.parametrize("prefix", ["", "ce_"])
def test_a_request_on_kafka_brings_its_trace(prefix: str) -> None:
    headers = [(f"{prefix}traceparent", PARENT.encode()), (f"{prefix}tracestate", b"a=b")]
    assert read(headers).trace == f"{PARENT} a=b"


@pytest.mark.parametrize("value", [b"\xff\xfe", b"", b"00-1-2-3", b"x" * 10_000])
def test_a_request_with_a_bad_trace_is_a_request(value: bytes) -> None:
    event = read([("traceparent", value)])
    assert isinstance(event, Requested) and event.trace is None


def test_what_we_say_of_it_has_the_same_headers_and_comes_back() -> None:
    event = read([("traceparent", PARENT.encode()), ("tracestate", b"a=b")])
    record = encode(event, "gateway")
    assert dict(record.headers).items() >= {"traceparent": PARENT.encode(), "tracestate": b"a=b"}.items()
    assert decode(TOPIC, record.key, record.value, record.headers, PLACE) == event


def test_without_a_trace_there_is_no_header_and_no_field() -> None:
    record = encode(read([]), "gateway")
    assert "traceparent" not in dict(record.headers) and b"trace" not in (record.value or b"")


def test_a_bad_trace_in_an_event_is_none_and_no_poison() -> None:
    (sent, *_) = golden("tocsin.sent")
    assert getattr(sent.read(trace="nonsense"), "trace", "") is None


def read(headers: list[tuple[str, bytes]]) -> Requested:
    value = b'{"channel": "email", "to": "delivered@simulator.test", "subject": "s", "body": "b"}'
    event: Event | None = decode(TOPIC, None, value, headers, PLACE)
    assert isinstance(event, Requested) and isinstance(event.id, UUID)
    return event
