"""What is reported about poison, and how its flood is slowed down."""

import hashlib
from datetime import UTC, datetime, timedelta

from contracts import identity
from contracts.cloudevents import encode
from contracts.events import Poison, Setting
from contracts.topics import FAILED, MESSAGE_BYTES
from kit.bus.record import Outgoing, Received
from kit.poison import FIRST_BYTES, LONGEST_PAUSE, Brake, poison_of, poison_of_outgoing

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def bytes_of(poison: Poison) -> bytes:
    """As its reader gets them."""
    value = encode(poison, "intake").value
    assert value is not None
    return Poison.model_validate_json(value).value


def test_p1_a_report_is_named_by_the_records_place_and_content() -> None:
    """Read twice, reported twice, and yet one: topic, partition, offset, timestamp and SHA-256 make its id."""
    received = Received("t", 1, 7, AT, None, b"\xff")
    assert poison_of(received, "why", "intake").id == identity.record_id("t", 1, 7, AT, b"\xff")
    assert poison_of(received, "why", "intake").ce_id == poison_of(received, "otherwise", "intake").ce_id


def test_p7_poison_is_kept_with_its_bytes() -> None:
    """Whatever they are, up to the size of a message; the report fits into `failed`."""
    value = bytes(range(256)) * (MESSAGE_BYTES // 256)
    poison = poison_of(Received("t", 1, 7, AT, None, value), "x" * 2000, "intake")
    assert bytes_of(poison) == value
    assert len(encode(poison, "intake").value or b"") < FAILED.max_message_bytes
    assert len(poison.error) == 500


def test_p7_a_report_does_not_quote_what_made_the_record_poison() -> None:
    """NUL, a lone surrogate and line breaks in an error's text would make the report poison too."""
    poison = poison_of(Received("t", 1, 7, AT, None, b""), "ce_type is “\0\ud800\n”", "intake")
    assert poison.error == "ce_type is “\ufffd\ufffd\ufffd”"


def test_p7_oversized_poison_is_kept_as_its_hash_and_first_64_kib() -> None:
    """A record of `failed` may be larger than what a report can hold."""
    value = b"x" * (MESSAGE_BYTES + 1)
    poison = poison_of(Received("t", 1, 7, AT, None, value), "why", "gateway")
    assert bytes_of(poison) == value[:FIRST_BYTES]
    assert (poison.size, poison.sha256) == (len(value), hashlib.sha256(value).hexdigest())


def test_a_refused_event_of_ours_is_reported_even_if_it_cannot_be_written() -> None:
    """A lone surrogate is shown escaped."""
    outgoing = Outgoing.of(Setting(what="template", id="broken", value={"text": "\ud800"}))
    poison = poison_of_outgoing(outgoing, "why", "intake")
    assert rb"\ud800" in bytes_of(poison)
    assert poison.ce_id == poison_of_outgoing(outgoing, "why", "intake").ce_id


def test_a_flood_slows_down_and_never_stops() -> None:
    """A hundred at once cost nothing, a lasting flood runs at its rate, and no single pause is long."""
    brake = Brake(burst=100, per_second=500)
    assert brake.pause(100, 1000.0) == 0
    assert brake.pause(50, 1000.0) == 0.1
    assert brake.pause(1_000_000, 1000.1) == LONGEST_PAUSE
    assert brake.pause(1, 1010.0) == 0


def test_now_and_then_is_no_flood() -> None:
    """A little poison every second is passed over at full speed."""
    brake = Brake(burst=10, per_second=5)
    start = AT
    for second in range(100):
        assert brake.pause(5, (start + timedelta(seconds=second)).timestamp()) == 0
