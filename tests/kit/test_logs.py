"""Logs: whole lines from several processes, and no one's address in them."""

from __future__ import annotations

import json
import logging
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaConnectionError, NotLeaderForPartitionError

from contracts.events import Event
from kit import logs
from kit.logs.facts import OF_ONE, TOLD, name_of
from kit.logs.files import SharedFile
from kit.logs.masking import masked
from kit.logs.repeated import REST, Repeated
from tests.contracts.golden import everything
from tests.kit.logged import lines

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    for handler in handlers:
        if handler not in root.handlers:
            root.addHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


# --- the net --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("to alice@example.org now", "to <email> now"),
        ("to=alice@example.org", "<email>"),
        ("<alice.b+c@mail.example.co.uk>", "<<email>>"),
        ('"alice smith"@example.org', "<email>"),
        ('"alice"@example.org', "<email>"),
        ("élodie@exämple.fr", "<email>"),
        ("alice@localhost refused", "<email> refused"),
        ("bounce+alice=example.org@us.example", "<email>"),
        ("Key (address)=(alice@example.org) exists", "Key (address)=(<email>) exists"),
        ("550 5.1.1 <bob@example.org>: unknown", "550 5.1.1 <<email>>: unknown"),
        ("+33612345678", "<phone>"),
        ("+33 6 12 34 56 78 is busy", "<phone> is busy"),
        ("+1 (555) 000-0001", "<phone>"),
        ("0033612345678", "<phone>"),
        ("06 12 34 56 78", "<phone>"),
        ("0612345678,", "<phone>,"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        (f"GET /api/v1/ws/{TOKEN}", "GET /api/v1/ws/***"),
        ("tk_live1234", "***"),
        ("GET /v1/stream?ticket=abc&x=1 HTTP", "GET /v1/stream?*** HTTP"),
        ('"WebSocket /v1/stream?ticket=abc" [accepted]', '"WebSocket /v1/stream?***" [accepted]'),
        ("postgresql://me:secret@host/db", "postgresql://***@host/db"),
        ("password='hunter2' rest", "password='***' rest"),
        ('{"access_token": "abc"}', '{"access_token": "***"}'),
        ("what happened? nothing = nothing", "what happened? nothing = nothing"),
    ],
)
def test_addresses_numbers_tokens_and_queries_are_masked(text: str, safe: str) -> None:
    assert masked(text) == safe


@pytest.mark.parametrize(
    "text",
    [
        "018f4e2a-7b1c-7d3e-9a5b-0612345678ab",
        "00123456-7890-1234-5678-901234567890",
        "2026-11-24T12:44:00.123456+00:00",
        "2026-11-24 12:44:00 +0100",
        "offset 1234567890123 partition 11",
        "notifications.due.email.normal",
        "127.0.0.1:8000",
        "9.0e+12",
        "/v1/notifications/018f4e2a-7b1c-7d3e-9a5b-0612345678ab",
    ],
)
def test_ids_times_and_offsets_pass(text: str) -> None:
    assert masked(text) == text


def test_the_net_takes_no_time_over_hostile_text() -> None:
    began = time.process_time()
    for hostile in (
        "a" * 16_000,
        "a@" * 8_000,
        "+1 " * 5_000,
        "?" * 16_000,
        "token" * 3_000,
        "eyJ" * 5_000,
        "=@" * 8_000,
    ):
        masked(hostile)
    assert time.process_time() - began < 2.0


# --- the lines ------------------------------------------------------------------------------------------------------


def test_a_line_says_when_who_and_what(tmp_path: Path) -> None:
    logs.configure("intake", "INFO", tmp_path, stdout=False)
    logs.get("services.intake.app").info("judged", id="n-1", count=3)
    (line,) = lines(tmp_path / "notifications.log")
    assert list(line)[:4] == ["time", "level", "service", "event"]
    assert line["time"].endswith("+00:00")
    assert {"level": "info", "service": "intake", "event": "judged", "id": "n-1", "count": 3}.items() <= line.items()
    assert line["logger"] == "services.intake.app"


def test_below_the_level_nothing_is_written(tmp_path: Path) -> None:
    logs.configure("intake", "WARNING", tmp_path, stdout=False)
    logs.get("x").info("quiet")
    logging.getLogger("aiokafka.cluster").warning("many of these while a server starts")
    assert lines(tmp_path / "notifications.log") == []


def test_what_passes_by_itself_is_no_error(tmp_path: Path) -> None:
    """Kafka's client says so for a moment after topics are made: nobody is to be woken."""
    logs.configure("intake", "INFO", tmp_path, stdout=False)
    client = logging.getLogger("aiokafka.consumer.fetcher")
    client.error("Failed fetch offsets from %s: %s", 1, NotLeaderForPartitionError())
    client.error("Group Coordinator Request failed: %s", GroupCoordinatorNotAvailableError())
    client.error("Failed fetch offsets from %s: %s", 1, KafkaConnectionError())
    logging.getLogger("x").error("NotLeaderForPartition")
    levels = [line["level"] for line in lines(tmp_path / "notifications.log")]
    assert levels == ["warning", "warning", "error", "error"]


def test_what_kafkas_client_repeats_is_said_now_and_then() -> None:
    """With how often it was said; other words, and those of others, are not held back."""
    now = [0.0]
    repeated = Repeated(lambda: now[0])

    def said(text: str, name: str = "aiokafka", level: int = logging.ERROR) -> str | None:
        record = logging.LogRecord(name, level, "", 0, "%s", (text,), None)
        return record.getMessage() if repeated.filter(record) else None

    assert [said("refused"), said("refused"), said("refused"), said("other")] == ["refused", None, None, "other"]
    assert [said("refused", "kit.bus"), said("refused", level=logging.INFO)] == ["refused", "refused"]
    now[0] = REST
    assert said("refused") == "refused (and 2 times more since the last line)"
    assert said("refused") is None


@pytest.mark.parametrize(
    ("service", "fields", "expected"),
    [
        ("email_sender", {}, {"notifications.log", "email_notifications.log"}),
        ("sms_sender", {}, {"notifications.log", "sms_notifications.log"}),
        ("intake", {}, {"notifications.log"}),
        ("intake", {"channel": "sms"}, {"notifications.log", "sms_notifications.log"}),
        ("gateway", {"channel": "inapp"}, {"notifications.log"}),
    ],
)
def test_a_line_goes_to_the_general_file_and_to_its_channels(
    tmp_path: Path, service: str, fields: dict[str, str], expected: set[str]
) -> None:
    logs.configure(service, "INFO", tmp_path, stdout=False)
    logs.get("x").info("something", **fields)
    assert {file.name for file in tmp_path.iterdir()} == expected


def test_private_fields_are_masked_whatever_they_hold(tmp_path: Path) -> None:
    logs.configure("intake", "INFO", tmp_path, stdout=False)
    logs.get("x").info(
        "slip",
        to="alice",
        body="Dear Alice",
        subject="Your results",
        nested={"phone": 33612345678, "html": "<p>", "deep": [{"password": "hunter2"}, "bob@example.org"]},
        raw=b"Dear Alice",
    )
    text = (tmp_path / "notifications.log").read_text()
    assert not any(word in text for word in ("alice", "Alice", "results", "3361", "<p>", "bob", "hunter2"))
    assert "10 bytes" in text


def test_a_stack_trace_is_masked_too(tmp_path: Path) -> None:
    logs.configure("intake", "INFO", tmp_path, stdout=False)
    try:
        raise ValueError("refused: alice@example.org")
    except ValueError:
        logs.get("x").exception("failed")
    (line,) = lines(tmp_path / "notifications.log")
    assert "ValueError: refused: <email>" in line["exception"]


def test_lines_of_libraries_take_the_same_way(tmp_path: Path) -> None:
    logs.configure("gateway", "INFO", tmp_path, stdout=False)
    logging.getLogger("asyncpg.pool").error("cannot reach %s", "postgresql://me:secret@host/db")
    logging.getLogger("uvicorn.error").warning('%s - "WebSocket %s" [accepted]', "1.2.3.4", "/v1/stream?ticket=abc")
    first, second = lines(tmp_path / "notifications.log")
    assert first["event"] == "cannot reach postgresql://***@host/db"
    assert first["logger"] == "asyncpg.pool" and first["service"] == "gateway"
    assert second["event"] == '1.2.3.4 - "WebSocket /v1/stream?***" [accepted]'


def test_any_text_is_one_line_of_json(tmp_path: Path) -> None:
    logs.configure("intake", "INFO", tmp_path, stdout=False)
    for odd in ("two\nlines", "\ud800 alone", "\u2028\x00\x1b[31m", "x" * 100_000, "{not: json}", "%s %d"):
        logs.get("x").info("odd", value=odd)
        logging.getLogger("y").error(odd)
    written = lines(tmp_path / "notifications.log")
    assert len(written) == 12
    assert max(len(json.dumps(line)) for line in written) < 20_000


def test_bound_fields_are_on_every_line(tmp_path: Path) -> None:
    logs.configure("intake", "INFO", tmp_path, stdout=False)
    with structlog.contextvars.bound_contextvars(trace="t-1"):
        logging.getLogger("lib").error("theirs")
        logs.get("x").info("ours")
    assert [line["trace"] for line in lines(tmp_path / "notifications.log")] == ["t-1", "t-1"]


def test_stdout_has_the_same_lines(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    logs.configure("intake", "INFO", tmp_path)
    logs.get("x").info("here")
    assert capfdbinary.readouterr().out == (tmp_path / "notifications.log").read_bytes()


def test_a_disk_that_refuses_stops_no_one_and_shows_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    logs.configure("intake", "INFO", tmp_path / "logs", stdout=False)
    logs.get("x").info("lost", to="alice@example.org")
    said = capfd.readouterr().err
    assert "cannot be written" in said and "make room on the disk" in said
    assert "alice" not in said


def test_a_folder_that_cannot_be_written_is_told_once_and_stdout_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    logs.configure("intake", "INFO", tmp_path / "logs")
    for number in range(5):
        logs.get("x").info("judged", number=number)
    out, err = capfd.readouterr()
    printed = [json.loads(line) for line in out.splitlines()]
    assert [line["number"] for line in printed if line["event"] == "judged"] == [0, 1, 2, 3, 4]
    assert [line["level"] for line in printed if line["event"] == "lines_not_written"] == ["error"]
    assert err.count("cannot be written") == 1


def test_a_disk_with_room_again_is_told_too_with_what_is_missing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    logs.configure("intake", "INFO", tmp_path / "logs")
    logs.get("x").info("lost")
    logs.get("x").info("lost as well")
    (tmp_path / "logs").unlink()
    logs.get("x").info("written")
    assert "2 lines are not in it" in capfd.readouterr().err
    assert [line["event"] for line in lines(tmp_path / "logs/notifications.log")] == ["written"]


def test_what_a_full_disk_took_half_of_spoils_no_later_line(tmp_path: Path) -> None:
    file = SharedFile(tmp_path / "x.log")
    file.write(b"whole\n")
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))  # as a disk does that has four bytes left
    try:
        with pytest.raises(OSError, match="No space left"):
            file.write(b"only a part of this\n")
        with pytest.raises(OSError):
            file.write(b"nothing of this\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.write(b"whole again\n")
    assert (tmp_path / "x.log").read_bytes() == b"whole\nonly\nwhole again\n"


# --- the facts ------------------------------------------------------------------------------------------------------


def facts() -> list[Event]:
    """Every example there is: also what is about no notification, and what outsiders write."""
    return [one.read() for one in everything() if one.value]


def test_each_fact_about_a_notification_is_a_line_with_its_id(tmp_path: Path) -> None:
    logs.configure("intake", "INFO", tmp_path, stdout=False)
    told = [event for event in facts() if isinstance(event, OF_ONE)]
    logs.tell(facts())
    written = lines(tmp_path / "notifications.log")
    assert [(line["event"], line["id"]) for line in written] == [(name_of(one), str(one.subject)) for one in told]
    assert {"sent", "failed", "due", "retry", "requested"} <= {line["event"] for line in written}


def test_a_fact_goes_to_the_file_of_its_channel_too(tmp_path: Path) -> None:
    logs.configure("gateway", "INFO", tmp_path, stdout=False)
    logs.tell(facts())
    for channel in ("email", "sms"):
        general = [line for line in lines(tmp_path / "notifications.log") if line.get("channel") == channel]
        assert lines(tmp_path / f"{channel}_notifications.log") == general != []


def test_facts_show_no_address_and_no_text(tmp_path: Path) -> None:
    logs.configure("intake", "INFO", tmp_path, stdout=False)
    logs.tell(facts())
    text = (tmp_path / "notifications.log").read_text()
    assert masked(text) == text
    assert {name for line in lines(tmp_path / "notifications.log") for name in line} <= {
        *("time", "level", "service", "event", "id", "tenant", "trace_id", "process"),
        *(field.rstrip("_") for field in TOLD),
    }


def test_facts_keep_quiet_where_the_level_says_so(tmp_path: Path) -> None:
    logs.configure("intake", "WARNING", tmp_path, stdout=False)
    logs.tell(facts())
    assert lines(tmp_path / "notifications.log") == []


def test_a_hash_stands_for_an_address_and_hides_it() -> None:
    assert logs.hashed(" Alice@Example.org") == logs.hashed("alice@example.org")
    assert logs.hashed("alice@example.org") != logs.hashed("bob@example.org")
    assert "alice" not in logs.hashed("alice@example.org") and len(logs.hashed("x")) == 12
