"""docs/logs.md has every event that a log can hold, and none that it cannot."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from contracts.topics import ALL
from kit.logs.facts import OF_ONE, name_of
from tests.lint.tree import ROOT, files

TABLE = ROOT / "docs/logs.md"
CODE = [path for path in files() if path.suffix == ".py" and path.parts[0] in ("kit", "services")]


def listed() -> set[str]:
    """The names in the first columns of its tables."""
    rows = (line.split("|")[1] for line in TABLE.read_text().partition("## The events")[2].splitlines() if "|" in line)
    return {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}


def facts() -> set[str]:
    return {name_of(event) for topic in ALL for event in topic.events if issubclass(event, OF_ONE)}


def literals(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def logged(tree: ast.AST) -> Iterator[str]:
    """The events of `log.info("this", ...)`."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=method), args=[*said]):
                name = said[1 if method == "log" else 0]
                assert isinstance(name, ast.Constant), f"line {node.lineno}: an event has a name that does not change"
                yield str(name.value)


def test_every_event_is_in_the_table() -> None:
    told = {name for path in CODE for name in logged(ast.parse((ROOT / path).read_text()))} | facts()
    assert told - listed() == set()


def test_the_table_names_no_event_that_nobody_logs() -> None:
    written = {text for path in CODE for text in literals(ast.parse((ROOT / path).read_text()))}
    assert listed() - facts() - written == set()
