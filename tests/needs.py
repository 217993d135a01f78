"""A test that needs what only some machines have is skipped where it is missing, with the reason; in CI it fails.

`.ci/packages` is the list, for the tests and for `.ci/run`, which installs all of it and sets TOCSIN_TEST_MISSING=fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.servers import ROOT

LIST = ROOT / ".ci" / "packages"
FATAL = os.environ.get("TOCSIN_TEST_MISSING") == "fail"


@dataclass(frozen=True, slots=True)
class Need:
    """Something installed: its package, and the commands of which one must be there."""

    name: str
    package: str
    commands: tuple[str, ...]

    @property
    def met(self) -> bool:
        return any(shutil.which(command) for command in self.commands)


def listed() -> dict[str, Need]:
    """What the list names."""
    lines = (line.split() for line in LIST.read_text().splitlines() if line and not line.startswith("#"))
    return {name: Need(name, package, tuple(commands.split("|"))) for name, package, commands in lines}


def of(item: pytest.Item) -> Iterator[Need]:
    """What the test says it needs. Raises KeyError for what is not on the list."""
    known = listed()
    return (known[name] for mark in item.iter_markers("needs") for name in mark.args)


def demand(need: Need, fatal: bool = FATAL) -> None:
    """Ends the test when the machine lacks it: skipped, or failed where nothing may be missing."""
    if need.met:
        return
    reason = f"{need.name} is not installed: apt-get install {need.package}"
    if fatal:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
