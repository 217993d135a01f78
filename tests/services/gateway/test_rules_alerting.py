"""What is told of an alert, to whom, how often: decided without a database."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.status import Channel, Lane
from services.gateway.rules import alerting
from services.gateway.rules.alerting import Alert

START = datetime(2026, 11, 28, 21, 4, 5, tzinfo=UTC)
HOUR = datetime(2026, 11, 28, 21, tzinfo=UTC)
LAG = Alert(
    state="firing",
    fingerprint="c0ffee",
    starts_at=START,
    ends_at=None,
    labels={"alertname": "LagGrows", "severity": "critical", "group": "intake"},
    annotations={
        "summary": "intake falls behind",
        "description": "12 records.\nAnd more.",
        "runbook_url": "https://runbook.example/lag",
    },
    source="http://prometheus.example/graph?g0.expr=x",
)
OVER = replace(LAG, state="resolved", ends_at=START + timedelta(minutes=5))
NEXT = replace(LAG, starts_at=START + timedelta(minutes=10))


def test_a_person_is_told_in_the_bell_and_by_email() -> None:
    asked = alerting.request(LAG, "alice", has_email=True)
    assert (asked.channels, asked.user_id, asked.to) == ((Channel.INAPP, Channel.EMAIL), "alice", None)
    assert asked.subject == "Alert: intake falls behind"
    assert asked.body == (
        "12 records.\nAnd more.\n\n"
        "LagGrows (critical), since 2026-11-28 21:04:05 UTC\n\n"
        "group: intake\n\n"
        "What to do: https://runbook.example/lag\nRule: http://prometheus.example/graph?g0.expr=x"
    )
    assert (asked.kind, asked.category, asked.lane) == ("new_alert", "alerts", Lane.URGENT)
    assert asked.metadata == {"alert": "LagGrows", "state": "firing", "severity": "critical"}
    assert asked.data == {**asked.metadata, "url": "https://runbook.example/lag"}


@pytest.mark.parametrize(
    ("recipient", "has_email", "channels", "to"),
    [
        ("alice", False, (Channel.INAPP,), None),
        ("desk@example.org", False, (Channel.EMAIL,), "desk@example.org"),
        ("+33612345678", False, (Channel.SMS,), "+33612345678"),
    ],
)
def test_an_address_speaks_for_itself(
    recipient: str, has_email: bool, channels: tuple[Channel, ...], to: str | None
) -> None:
    asked = alerting.request(LAG, recipient, has_email)
    assert (asked.all_channels, asked.to) == (channels, to)


def test_the_end_is_told_without_haste_beside_its_beginning() -> None:
    asked = alerting.request(OVER, "alice", has_email=False)
    assert asked.subject == "Resolved: intake falls behind"
    assert "since 2026-11-28 21:04:05 UTC, until 2026-11-28 21:09:05 UTC" in str(asked.body)
    assert asked.lane is Lane.NORMAL
    assert asked.group == alerting.request(LAG, "alice", has_email=False).group


def test_what_to_do_may_stand_in_a_document() -> None:
    """As our own rules name it: nobody knows where the documents of an installation are served."""
    told = alerting.request(replace(LAG, annotations={"runbook": "docs/runbook.md#lag"}), "alice", has_email=False)
    assert "What to do: docs/runbook.md#lag" in str(told.body)
    assert told.data and told.data["url"] == LAG.source


def test_a_text_message_is_short() -> None:
    talkative = replace(LAG, annotations={"summary": "s", "description": "word " * 500})
    assert len(str(alerting.request(talkative, "+33612345678", has_email=False).body)) == 300


def test_whatever_others_write_can_be_told() -> None:
    wild = replace(
        LAG,
        labels={"alertname": "a\x00b\n" * 300, "x\u2028": "é" * 9000, **{f"l{n}": "v" for n in range(300)}},
        annotations={"summary": "one\r\nBcc: two\u202e", "description": "d" * 99_999, "runbook_url": "javascript:x"},
        source="http://a b",
    )
    for recipient in ("alice", "desk@example.org", "+33612345678"):
        asked = alerting.request(wild, recipient, has_email=True)
        assert asked.subject == "Alert: one Bcc: two"
        assert asked.data is None or "url" not in asked.data
        assert len(asked.plain) < 20_000
    assert (
        alerting.request(replace(LAG, labels={}, annotations={}), "alice", has_email=False).subject == "Alert: unnamed"
    )


def test_the_same_alert_has_the_same_id_and_its_end_another() -> None:
    ids = {
        alerting.id_of("default", alert, recipient)
        for alert in (LAG, replace(LAG, annotations={}), OVER, NEXT, replace(LAG, fingerprint="other"))
        for recipient in ("alice", "bob")
    }
    assert len(ids) == 8


def of(n: int, name: str = "LagGrows") -> Alert:
    return replace(LAG, fingerprint=f"{name}{n}", labels={"alertname": name})


def test_of_a_name_only_so_many_are_told_in_an_hour() -> None:
    alerts = [*(of(n) for n in range(5)), of(0, "Other")]
    told = alerting.places(alerts, {}, Counter({"LagGrows": 1}), HOUR, 3)
    assert [told[one.life] for one in alerts] == [HOUR, HOUR, None, None, None, HOUR]


def test_what_was_told_is_told_to_its_end_whatever_room_there_is() -> None:
    earlier = HOUR - timedelta(hours=1)
    full = Counter({"LagGrows": 3})
    assert alerting.places([LAG, OVER], {LAG.life: earlier}, full, HOUR, 3) == {LAG.life: earlier}


def test_what_was_held_back_is_told_when_it_comes_again_and_there_is_room() -> None:
    assert alerting.places([LAG], {LAG.life: None}, Counter(), HOUR, 3) == {LAG.life: HOUR}
    assert alerting.places([LAG], {LAG.life: None}, Counter({"LagGrows": 3}), HOUR, 3) == {LAG.life: None}


def test_the_end_of_what_was_never_told_is_not_told() -> None:
    assert alerting.places([OVER], {LAG.life: None}, Counter(), HOUR, 3) == {LAG.life: None}
    assert alerting.places([OVER], {}, Counter(), HOUR, 3) == {LAG.life: HOUR}, "its beginning was lost on the way"


@pytest.mark.parametrize(
    ("labels", "annotations", "named"),
    [
        ({"notification_id": "6f0c2b1e-7d5a-5c43-9d3f-3f6a5e1c8b70"}, {}, "6f0c2b1e-7d5a-5c43-9d3f-3f6a5e1c8b70"),
        ({}, {"notification_id": "6f0c2b1e-7d5a-5c43-9d3f-3f6a5e1c8b70"}, "6f0c2b1e-7d5a-5c43-9d3f-3f6a5e1c8b70"),
        ({"notification_id": "nonsense"}, {}, None),
        ({}, {}, None),
    ],
)
def test_an_alert_may_be_about_one_notification(
    labels: dict[str, str], annotations: dict[str, str], named: str | None
) -> None:
    found = replace(LAG, labels=labels, annotations=annotations).named
    assert (str(found) if found else None) == named
