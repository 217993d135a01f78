"""What no file of the repository may hold, and what only one of them may do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lint.tree import ROOT, texts

# In two halves each, so that this file is no finding of its own.
REGISTRIES = [
    "".join(halves)
    for halves in (
        ("pypi", ".org"),
        ("python", "hosted.org"),
        ("repo1.", "maven.org"),
        ("repo.", "maven.apache.org"),
        ("central.", "sonatype"),
        ("registry.", "npmjs"),
        ("registry.", "yarnpkg"),
        ("proxy.", "golang.org"),
        ("crates", ".io"),
        ("registry-1.", "docker.io"),
    )
]
PLACES = re.compile(r"(?<![\w.$}/-])/" + r"(?:home|Users|work|root)/\w[\w.-]*")
ALLOWED_PLACES: dict[str, set[str]] = {}


SPOKEN = {
    Path("kit/service/shell.py"),  # the settings are told before there is a log
    Path("contracts/generate.py"),  # a command for the one who changes contracts
    Path("kit/metrics/__main__.py"),  # the same for figures
}


@pytest.mark.parametrize("registry", REGISTRIES)
def test_no_file_names_a_package_registry(registry: str) -> None:
    """Which registry serves an installation is for the machine to say (pip.conf, a mirror), not for us."""
    assert [str(path) for path, text in texts() if registry in text] == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = {f"{path}: {place}" for path, text in texts() for place in PLACES.findall(text)}
    assert found == {f"{path}: {place}" for path, places in ALLOWED_PLACES.items() for place in places}


def test_only_the_clock_looks_at_the_time() -> None:
    """Time is an argument; the one now() is in kit/clock.py (or the database's)."""
    looks = {("datetime", "now"), ("datetime", "utcnow"), ("date", "today"), ("time", "time"), ("time", "monotonic")}
    found = [
        f"{path}:{call.lineno}"
        for path, call in calls("contracts", "kit", "services")
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and (call.func.value.id, call.func.attr) in looks
        and path != Path("kit/clock.py")
    ]
    assert found == []


def test_services_log_and_do_not_print() -> None:
    found = [
        f"{path}:{call.lineno}"
        for path, call in calls("contracts", "kit", "services")
        if isinstance(call.func, ast.Name) and call.func.id == "print" and path not in SPOKEN
    ]
    assert found == []


def test_every_module_says_in_one_sentence_what_it_is() -> None:
    silent = [
        str(path)
        for path, text in texts()
        if path.suffix == ".py" and text.strip() and not ast.get_docstring(ast.parse(text)) and path.parts[0] != "tests"
    ]
    assert silent == []


def calls(*packages: str) -> Iterator[tuple[Path, ast.Call]]:
    for path, text in texts():
        if path.suffix == ".py" and path.parts[0] in packages:
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call):
                    yield path, node


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    """The searches above are not blind."""
    assert PLACES.search("cd /home/" + "alice/x") and not PLACES.search("https://h/home/" + "alice")
    assert len(list(calls("kit"))) > 100
    assert ROOT.joinpath("kit/clock.py").read_text().count("datetime.now(") == 1
