"""`python -m kit.metrics` writes docs/metrics.md from the catalogue; `--check` only tells whether it is true."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from contracts.topics import SERVICES
from kit.metrics.catalogue import CATALOGUE, LABELS
from kit.metrics.figure import Figure

PAGE: Final = Path(__file__).parents[2] / "docs" / "metrics.md"
BEGIN: Final = "<!-- from here on made by `python -m kit.metrics` -->\n"


def main(arguments: list[str]) -> int:
    """0: it is true, or was written; 1 with `--check`: it is not."""
    there = PAGE.read_text()
    words, _, _ = there.partition(BEGIN)
    wanted = words + BEGIN + "\n" + "\n".join(tables()) + "\n"
    if "--check" in arguments:
        if there != wanted:
            print("docs/metrics.md is not up to date; run `python -m kit.metrics`", file=sys.stderr)
        return int(there != wanted)
    PAGE.write_text(wanted)
    return 0


def tables() -> Iterator[str]:
    """The lines: all figures, then all labels."""
    yield "## The figures\n"
    yield from _table(("name", "type", "labels", "unit", "meaning", "service"), map(_row, CATALOGUE))
    yield "\n## The labels\n"
    used = {label for figure in CATALOGUE for label in figure.labels}
    yield from _table(("label", "values"), (f"| `{label}` | {LABELS[label]} |" for label in sorted(used)))


def _table(heads: tuple[str, ...], rows: Iterator[str]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    yield from rows


def _row(figure: Figure) -> str:
    labels = ", ".join(f"`{label}`" for label in figure.labels)
    services = "all" if set(figure.services) == set(SERVICES) else ", ".join(figure.services)
    return f"| `{figure.shown}` | {figure.kind} | {labels} | {figure.unit} | {figure.sentence} | {services} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
