"""A record, as it is read."""

from datetime import timedelta

import pytest

from contracts.cloudevents import Undecodable
from contracts.events import TakeBack, Unacceptable
from contracts.status import Lane
from contracts.topics import REQUESTED, SCHEDULED
from kit.bus.record import EPOCH, Outgoing, Received, instant, reached
from tests.kit.bus.support import IDS


def received(offset: int, partition: int = 0, **fields: object) -> Received:
    return Received("t", partition, offset, EPOCH + timedelta(milliseconds=offset), None, b"{}", **fields)  # type: ignore[arg-type]


def ours(text: bytes) -> Received:
    headers = (("ce_type", b"tocsin.take_back"),)
    return Received(SCHEDULED.name, 0, 0, EPOCH, b"default/x", text, headers)


def test_a_batch_reaches_as_far_as_its_last_record_in_each_partition() -> None:
    """Offsets have gaps, and a record may be there twice after a rewind."""
    batch = [received(3), received(4), received(9), received(4), received(1, partition=1)]
    assert reached(batch) == {("t", 0): (10, instant(9)), ("t", 1): (2, instant(1))}


def test_what_we_say_is_read_back() -> None:
    """The record of an event is that event."""
    event = TakeBack(id=IDS[0], round=3)
    record = Outgoing.of(event).encoded("intake")
    assert (
        Received(SCHEDULED.name, 0, 0, EPOCH, record.key, record.value, tuple(record.headers)).event(SCHEDULED) == event
    )


@pytest.mark.parametrize("text", [b"\\u0000", b"\\\\\\u0000"])
def test_p7_a_nul_is_poison(text: bytes) -> None:
    """JSON allows it, PostgreSQL does not."""
    with pytest.raises(Undecodable):
        ours(b'{"id": "%s", "round": 1, "tenant": "%s"}' % (str(IDS[0]).encode(), text)).event(SCHEDULED)


def test_p7_the_text_of_a_nul_is_none() -> None:
    """A backslash, a u and four zeros, written by somebody who explains JSON."""
    event = ours(b'{"id": "%s", "round": 1, "tenant": "\\\\u0000"}' % str(IDS[0]).encode()).event(SCHEDULED)
    assert event is not None
    assert event.tenant == "\\u0000"


def test_p7_a_nul_in_an_outside_request_is_a_reason() -> None:
    """A request that is a JSON object is rejected with its reason, never poison."""
    topic = REQUESTED[Lane.NORMAL]
    value = b'{"channel": "email", "to": "a@example.com", "subject": "x", "body": "a\\u0000b"}'
    assert isinstance(Received(topic.name, 0, 0, EPOCH, None, value).event(topic), Unacceptable)


@pytest.mark.parametrize("header", [b"", b"yesterday", b"-1", b"\xff", b"9" * 14, b"9" * 9999])
def test_p9_an_as_of_that_is_no_time_is_not_believed(header: bytes) -> None:
    """Anybody may write headers on a directory topic, and nobody can date ahead."""
    assert received(7, headers=(("as_of", header),)).as_of == instant(7)
