"""Figures: the table in the docs is theirs, labels are bounded, and a batch is counted by one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as text

from contracts.topics import SERVICES
from kit.health import Health
from kit.metrics import MOST_VALUES, OTHER, Metrics
from kit.metrics import __main__ as table
from kit.metrics.catalogue import CATALOGUE, LABELS

FORBIDDEN = {
    "id",
    "notification_id",
    "user",
    "user_id",
    "owner",
    "tenant",
    "to",
    "address",
    "email",
    "phone",
    "key",
    "path",
}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"tocsin_{name}", labels)


def test_the_table_in_the_docs_is_that_of_the_code() -> None:
    assert table.main(["--check"]) == 0


def test_a_table_that_is_not_up_to_date_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "metrics.md"
    page.write_text(table.PAGE.read_text().replace("tocsin_poison_records_total", "tocsin_poison"))
    monkeypatch.setattr(table, "PAGE", page)
    assert table.main(["--check"]) == 1
    assert "python -m kit.metrics" in capsys.readouterr().err
    assert table.main([]) == 0
    assert table.main(["--check"]) == 0


def test_every_label_says_how_it_is_bounded_and_none_is_an_id_or_an_address() -> None:
    used = {label for figure in CATALOGUE for label in figure.labels}
    assert used == LABELS.keys()
    assert used & FORBIDDEN == set()


def test_names_keep_to_the_conventions() -> None:
    """https://prometheus.io/docs/practices/naming: seconds are in the name, and only counters end in _total."""
    for figure in CATALOGUE:
        assert not figure.name.endswith("_total")
        assert ("seconds" in figure.name) == (figure.unit == "seconds"), figure.name
        assert bool(figure.buckets) == (figure.kind == "histogram")
        assert figure.services and set(figure.services) <= set(SERVICES)
    assert len({figure.name for figure in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_shows_its_own_figures_and_no_others(service: str) -> None:
    shown = {one.name for one in Metrics(service).registry.collect() if one.name.startswith("tocsin_")}
    assert shown == {figure.family for figure in CATALOGUE if service in figure.services}


def test_what_has_no_labels_is_there_before_it_happens() -> None:
    metrics = Metrics("gateway")
    assert (value(metrics, "reconciliation_lost"), value(metrics, "event_loop_delay_seconds_count")) == (0, 0)


def test_no_input_makes_the_number_of_series_grow() -> None:
    metrics = Metrics()
    for number in range(MOST_VALUES + 5):
        metrics.poison(f"topic {number}")
    assert value(metrics, "poison_records_total", topic=OTHER) == 5


def test_a_batch_is_spread_over_its_buckets() -> None:
    metrics = Metrics()
    metrics.late("email", [0.0, 0.05, 0.06, 7000.0])
    metrics.late("email", [])
    buckets = {end: value(metrics, "notification_lateness_seconds_bucket", channel="email", le=end) for end in LE}
    assert buckets == {"0.05": 2, "0.1": 3, "3600.0": 3, "+Inf": 4}
    assert value(metrics, "notification_lateness_seconds_count", channel="email") == 4
    assert value(metrics, "notification_lateness_seconds_sum", channel="email") == pytest.approx(7000.11)


LE = ("0.05", "0.1", "3600.0", "+Inf")


def test_labels_must_be_those_of_the_figure() -> None:
    from kit.metrics.book import Book
    from kit.metrics.catalogue import ACCEPTED

    with pytest.raises(ValueError, match="notifications_accepted has the labels"):
        Book([ACCEPTED]).add(ACCEPTED, 1, "email")


def test_what_cannot_be_read_hides_nothing_else() -> None:
    metrics = Metrics("gateway")
    metrics.when_read(lambda: 1 / 0)  # type: ignore[arg-type]
    metrics.when_read(lambda: metrics.queued(7))
    assert value(metrics, "accept_queue_requests") == 7


@pytest.mark.parametrize(
    ("accept", "kind", "example"),
    [
        (
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
            "application/openmetrics-text",
            {"trace_id": "ab" * 16},
        ),
        ("text/plain;version=0.0.4", "text/plain", None),
        (None, "text/plain", None),
    ],
)
async def test_who_asks_for_openmetrics_gets_the_traces_too(accept: str | None, kind: str, example: Any) -> None:
    metrics = Metrics("email_sender")
    metrics.ended("email", [0.2, 0.3], [(0.2, "ab" * 16)])
    metrics.retried("email", "greylisted", 2)
    asgi = httpx.ASGITransport(Health("email_sender", metrics.registry).app)
    async with httpx.AsyncClient(transport=asgi, base_url="http://sender") as http:
        answer = await http.get("/metrics", headers={"Accept": accept} if accept else {})
    assert answer.headers["content-type"].startswith(kind)
    parse = openmetrics if example else text
    samples = [sample for family in parse(answer.text) for sample in family.samples]
    [bucket] = [x for x in samples if x.name.endswith("end_to_end_seconds_bucket") and x.labels["le"] == "0.25"]
    assert (bucket.value, bucket.exemplar.labels if bucket.exemplar else None) == (1, example)
    assert [x.value for x in samples if x.name == "tocsin_notifications_retries_total"] == [2]
    assert not [x for x in samples if x.name.endswith("_created") and x.name.startswith("tocsin_")]
