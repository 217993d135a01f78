"""The dashboards are as they are written down, ask for figures that there are, and lie where Grafana looks."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
import yaml

from deploy.grafana.__main__ import FOLDER, main
from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import SOURCE, WIDTH, Board
from tests.deploy.test_rules import MATCHED, OURS, TARGETS, names

PROVISIONING = FOLDER.parent / "provisioning"
BY = re.compile(r"by \(([^)]*)\)")
CALLED = re.compile(r"\{\{(\w+)\}\}")


@pytest.fixture(params=BOARDS, ids=lambda board: board.uid)
def board(request: pytest.FixtureRequest) -> Board:
    found: Board = request.param
    return found


def test_the_committed_ones_are_those_that_are_written() -> None:
    assert main(["--check"]) == 0, "run: python -m deploy.grafana"


def test_each_panel_asks_for_figures_that_there_are(board: Board) -> None:
    known = names()
    for panel in board.panels:
        for query, called in panel.asks:
            assert set(OURS.findall(query)) <= known.keys(), panel.title
            for figure, where in MATCHED.findall(query):
                assert set(re.findall(r"(\w+)[=!]", where)) <= known[figure], panel.title
            grouped = {label.strip() for found in BY.findall(query) for label in found.split(",")}
            labels = set().union(*(known[figure] for figure in OURS.findall(query))) | TARGETS
            assert grouped <= labels | {"le"}, panel.title
            assert set(CALLED.findall(called)) <= grouped, panel.title


def test_nothing_lies_on_another(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    panels: list[dict[str, Any]] = board.json()["panels"]
    for panel in panels:
        place = panel["gridPos"]
        cells = set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )
        assert not cells & taken and place["x"] + place["w"] <= WIDTH, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_each_panel_says_how_to_read_it(board: Board) -> None:
    for panel in board.panels:
        assert panel.sentence.endswith("."), panel.title


def test_grafana_finds_them_and_their_source() -> None:
    [source] = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == SOURCE
    [provider] = yaml.safe_load((PROVISIONING / "dashboards" / "tocsin.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    uids = [json.loads(file.read_text())["uid"] for file in FOLDER.glob("*.json")]
    assert sorted(uids) == sorted(board.uid for board in BOARDS)
