"""What requirements/services says: which packages an image of a service has, and which modules those bring."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from packaging.requirements import Requirement

from tests.lint.tree import ROOT

FOLDER = ROOT / "requirements" / "services"


def listed(file: Path) -> Iterator[Requirement]:
    """The lines of a .in file and of those that it includes."""
    for line in file.read_text().splitlines():
        if included := re.match(r"-r (\S+)$", line):
            yield from listed(file.parent / included[1])
        elif line and not line.startswith("#"):
            yield Requirement(line)


def installed_with(wanted: Iterator[Requirement]) -> set[str]:
    """The names of these and of all that they require, as pip would install them here."""
    found: set[tuple[str, str]] = set()
    waiting = [(one, "") for one in wanted]
    while waiting:
        one, extra = waiting.pop()
        if one.marker and not one.marker.evaluate({"extra": extra}):
            continue
        for asked in ("", *one.extras):
            if (seen := (normal(one.name), asked)) not in found:
                found.add(seen)
                waiting += [(Requirement(text), asked) for text in distribution(one.name).requires or ()]
    return {name for name, _ in found}


def modules_of(packages: set[str]) -> set[str]:
    """The top-level modules that these packages bring."""
    return {module for module, names in packages_distributions().items() if packages & {*map(normal, names)}}


def normal(name: str) -> str:
    """PEP 503: one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()
