"""A dashboard is rows of panels, a panel a question to Prometheus: laid out and written as Grafana reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Literal

WIDTH: Final = 24
SOURCE: Final = {"type": "prometheus", "uid": "tocsin"}
"""As deploy/grafana/provisioning/datasources calls it."""

Kind = Literal["timeseries", "stat"]
Ask = tuple[str, str]
"""A query, and what its lines are called: labels in double braces."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One question. `sentence` says how to read the answer; `unit` is one of Grafana's names.

    `steps` colour a number: (from which value, colour); the first holds below all.
    """

    title: str
    sentence: str
    asks: Sequence[Ask]
    unit: str = "short"
    kind: Kind = "timeseries"
    steps: Sequence[tuple[float, str]] = ()
    width: int = 12

    def json(self, source: dict[str, str], id: int, place: dict[str, int]) -> dict[str, Any]:
        """As Grafana reads it. Beside the lines of a histogram stand the slowest of it, with their trace ids."""
        return {
            "id": id,
            "type": self.kind,
            "title": self.title,
            "description": self.sentence,
            "gridPos": place,
            "datasource": source,
            "fieldConfig": {"defaults": {"unit": self.unit} | self._look(), "overrides": []},
            "options": _OPTIONS[self.kind],
            "targets": [
                {"refId": chr(ord("A") + n), "datasource": source, "expr": expr, "legendFormat": called}
                | ({"exemplar": True} if expr.startswith("histogram_quantile") else {})
                for n, (expr, called) in enumerate(self.asks)
            ],
        }

    def _look(self) -> dict[str, Any]:
        look: dict[str, Any] = {"min": 0} if self.kind == "timeseries" else {}
        if not self.steps:
            return look
        first, *others = self.steps
        steps = [{"value": None, "color": first[1]}, *({"value": value, "color": color} for value, color in others)]
        return look | {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": steps}}


@dataclass(frozen=True, slots=True)
class Text:
    """What no figure can say, as Markdown."""

    title: str
    words: str
    width: int = WIDTH

    def json(self, source: dict[str, str], id: int, place: dict[str, int]) -> dict[str, Any]:
        """As Grafana reads it."""
        return {
            "id": id,
            "type": "text",
            "title": self.title,
            "gridPos": place,
            "options": {"mode": "markdown", "content": self.words},
        }


_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "background", "textMode": "auto"},
}
HEIGHTS: Final = {Text: 6, "stat": 4, "timeseries": 8}


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side, as long as there is room, below a heading."""

    title: str
    panels: Sequence[Panel | Text]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard. `asked` are words that whoever looks may fill in: (name, label, at first)."""

    uid: str
    title: str
    sentence: str
    rows: Sequence[Row]
    asked: Sequence[tuple[str, str, str]] = ()

    @property
    def panels(self) -> Iterator[Panel]:
        """Those that ask Prometheus."""
        return (panel for row in self.rows for panel in row.panels if isinstance(panel, Panel))

    def json(self) -> dict[str, Any]:
        """As Grafana reads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.sentence,
            "tags": ["tocsin"],
            "schemaVersion": 39,
            "editable": False,
            "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"},
            "links": [{"type": "dashboards", "tags": ["tocsin"], "title": "Tocsin", "asDropdown": False}],
            "templating": {
                "list": [
                    {"type": "textbox", "name": name, "label": label, "query": first, "current": {"value": first}}
                    for name, label, first in self.asked
                ]
            },
            "panels": list(self._laid_out()),
        }

    def _laid_out(self) -> Iterator[dict[str, Any]]:
        ids, y = count(1), 0
        for row in self.rows:
            head = {"x": 0, "y": y, "w": WIDTH, "h": 1}
            yield {
                "id": next(ids),
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": head,
                "panels": [],
            }
            x, y, height = 0, y + 1, 0
            for panel in row.panels:
                if x + panel.width > WIDTH:
                    x, y, height = 0, y + height, 0
                tall = HEIGHTS[panel.kind] if isinstance(panel, Panel) else HEIGHTS[Text]
                yield panel.json(SOURCE, next(ids), {"x": x, "y": y, "w": panel.width, "h": tall})
                x, height = x + panel.width, max(height, tall)
            y += height
