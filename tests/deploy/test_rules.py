"""Each alert fires when it should and not before, says what to do, and asks for figures that there are."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.metrics.catalogue import CATALOGUE
from tests.servers import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTMANAGER = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
TRIALS = ROOT / "tests" / "deploy" / "rules"
RUNBOOK = ROOT / "docs" / "runbook.md"
SEVERITIES = {"critical", "warning"}
OURS = re.compile(r"tocsin_\w+")
MATCHED = re.compile(r"(tocsin_\w+)\{([^}]*)\}")
TARGETS = {"job", "instance"}
"""Labels that Prometheus gives to all it reads."""

Rule = dict[str, Any]


def rules() -> Iterator[tuple[str, Rule]]:
    """Each with its file's name."""
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from ((file.name, rule) for rule in group["rules"])


ALL = list(rules())
NAMED = [rule["alert"] for _, rule in ALL]


def trials(file: str) -> Iterator[Rule]:
    for trial in yaml.safe_load((TRIALS / file).read_text())["tests"]:
        yield from trial["alert_rule_test"]


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def names() -> dict[str, set[str]]:
    """What a query may call each figure, with its labels."""
    endings = {"histogram": ("_bucket", "_sum", "_count")}
    return {
        figure.shown + ending: {*figure.labels, *TARGETS, *(("le",) if figure.kind == "histogram" else ())}
        for figure in CATALOGUE
        for ending in endings.get(figure.kind, ("",))
    }


@pytest.mark.needs("prometheus")
def test_prometheus_takes_its_configuration() -> None:
    run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")


@pytest.mark.needs("prometheus")
@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_each_alert_fires_when_it_should(file: Path) -> None:
    run("promtool", "test", "rules", TRIALS / file.name)


@pytest.mark.parametrize(("file", "rule"), ALL, ids=NAMED)
def test_each_alert_is_tried_where_it_fires_and_where_it_does_not(file: str, rule: Rule) -> None:
    fires = {bool(trial["exp_alerts"]) for trial in trials(file) if trial["alertname"] == rule["alert"]}
    assert fires == {True, False}


@pytest.mark.parametrize(("file", "rule"), ALL, ids=NAMED)
def test_each_alert_says_what_it_is_and_what_to_do(file: str, rule: Rule) -> None:
    name, told = rule["alert"], rule["annotations"]
    assert name.startswith("Tocsin") and rule["labels"]["severity"] in SEVERITIES
    assert told["summary"] and told["description"].endswith(".")
    assert told["runbook"] == f"docs/runbook.md#{name.lower()}"
    paragraph = RUNBOOK.read_text().split(f"\n### {name}\n")[1].split("\n#")[0]
    assert len(paragraph.split()) > 20


def test_each_paragraph_belongs_to_an_alert() -> None:
    written = re.findall(r"^### (Tocsin\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert sorted(written) == sorted(NAMED)


@pytest.mark.parametrize(("file", "rule"), ALL, ids=NAMED)
def test_each_alert_asks_for_figures_that_there_are(file: str, rule: Rule) -> None:
    known = names()
    assert set(OURS.findall(rule["expr"])) <= known.keys()
    for figure, where in MATCHED.findall(rule["expr"]):
        assert set(re.findall(r"(\w+)[=!]", where)) <= known[figure], figure


@pytest.mark.needs("alertmanager")
@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["alertname=TocsinCopies", "severity=warning"], "tocsin"),
        (["alertname=TocsinServiceDown", "severity=critical"], "beside,tocsin"),
        (["alertname=TocsinWebhookDisabled", "severity=warning"], "beside"),
        (["alertname=TocsinAlertsHeldBack", "severity=warning", "about=alerts"], "beside"),
    ],
)
def test_what_fires_goes_to_tocsin_and_what_watches_it_goes_past(labels: list[str], told: str) -> None:
    run("amtool", "check-config", ALERTMANAGER)
    assert run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels).strip() == told
