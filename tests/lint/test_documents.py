"""What the documents say is so: places exist, rules have numbers, and the lines to copy work."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup as Group

from cli.main import app
from contracts.cloudevents import decode
from contracts.events import Requested
from contracts.request import NotificationRequest
from contracts.status import Lane
from contracts.topics import BY_NAME, REQUESTED
from tests.contracts.golden import PLACE
from tests.lint.tree import ROOT, files, texts

DOCUMENTS = [path for path in files() if path.suffix == ".md"]
PLACE_IN_TEXT = re.compile(r"`([\w.\-]+/[\w./\-]+)`|\]\(([\w./\-]+)\)")
MADE_AT_RUN_TIME = (".tocsin/", "logs/", ".venv/")
MADE_ELSEWHERE = {"deploy/.env", "deploy/alertmanager/tocsin.key", "overlays/yours"}
NO_FILES = re.compile(r"^(application|text|multipart|tenant|order|deadline|v1|docs)/?\w*$|^[A-Z]\w+/[A-Z]")
RULE = re.compile(r"\bP([1-9])(?:\.([0-9]+))?\b")
TOPIC = re.compile(r"\b(?:notifications|directory|deadlines|ops)\.[a-z]+(?:\.[a-z]+)*")
TO_COME: set[str] = set()
"""Rules of features that no code has yet; docs/protocol.md says so."""
SHELL = re.compile(r"'(\{.*?\})'")
COMMAND = re.compile(r"(?:`|^ {4}|^|\$\()(?:\.venv/bin/)?tocsin ([a-z][^`\n]*`?)", re.MULTILINE)


def places(document: Path) -> Iterator[str]:
    """What looks like a path of the repository."""
    for in_code, in_link in PLACE_IN_TEXT.findall((ROOT / document).read_text()):
        place = in_code or in_link
        if place in MADE_ELSEWHERE or place.startswith(MADE_AT_RUN_TIME):
            continue
        if not NO_FILES.match(place.rstrip("/")):
            yield place


def rules() -> set[str]:
    """The numbers that docs/protocol.md gives: P1, P3.4 and so on."""
    found, chapter = set(), ""
    for line in (ROOT / "docs/protocol.md").read_text().splitlines():
        if begun := re.match(r"## (P[0-9])", line):
            chapter = begun[1]
            found.add(chapter)
        elif item := re.match(r"([0-9]+)\. ", line):
            found.add(f"{chapter}.{item[1]}")
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_place_that_is_named_exists(document: Path) -> None:
    gone = [
        place
        for place in places(document)
        if not (ROOT / place).exists() and not (ROOT / document.parent / place).exists()
    ]
    assert gone == []


def test_every_rule_that_is_cited_is_written_down() -> None:
    written = rules()
    cited = {
        (str(path), match[0])
        for path, text in texts()
        if path.suffix in {".py", ".sql", ".md"}
        for match in RULE.finditer(text)
    }
    assert {(path, rule) for path, rule in cited if rule not in written} == set()


def test_every_rule_is_tried_by_a_test_that_carries_its_number() -> None:
    """In its name, or in the sentence below it."""
    modules = [text for path, text in texts() if path.parts[0] == "tests" and path.suffix == ".py"]
    tried = {rule for module in modules for rule in carried(module)}
    assert rules() - tried == TO_COME


def carried(module: str) -> Iterator[str]:
    """The rules that the tests of this module carry; one for a rule of a chapter is one for the chapter, too."""
    for node in ast.walk(ast.parse(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            in_name = re.findall(r"^test_p([1-9])(?:_([0-9]+))?_", node.name)
            for chapter, number in in_name + RULE.findall(ast.get_docstring(node) or ""):
                yield f"P{chapter}"
                yield f"P{chapter}.{number}"


def test_the_lines_of_the_readme_are_requests() -> None:
    """The JSON of the first curl and of the first line on Kafka."""
    by_rest, by_kafka = SHELL.findall((ROOT / "README.md").read_text())
    NotificationRequest.model_validate_json(by_rest)
    assert isinstance(decode(REQUESTED[Lane.NORMAL], None, by_kafka.encode(), [], PLACE), Requested)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_topic_that_is_named_exists(document: Path) -> None:
    named = TOPIC.findall((ROOT / document).read_text())
    other = {"notifications.yml", "notifications.log", "notifications.example", "notifications.requested.jsonl"}
    topics = {name for name in named if name not in other and not name.endswith((".py", ".sql", ".sh", ".enabled"))}
    assert {name for name in topics if not any(topic.startswith(name) for topic in BY_NAME)} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", (ROOT / document).read_text())) <= targets


@cache
def tocsin() -> Group:
    """The command, put together once."""
    command = typer.main.get_command(app)
    assert isinstance(command, Group)
    return command


def commands(text: str) -> Iterator[list[str]]:
    """The words of each line of `tocsin`, in the text or in a block to copy, up to whatever the shell does with it."""
    for line in COMMAND.findall(text):
        yield re.split(r"\s#|[|;&>)]|\.\.\.", line.rstrip("`"))[0].split()


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_command_that_is_named_exists_with_its_options(document: Path) -> None:
    wrong = []
    for words in commands((ROOT / document).read_text()):
        command, left = tocsin(), words
        while isinstance(command, Group) and left and not left[0].startswith("-"):
            command, left = command.commands.get(left[0].strip(",.:")), left[1:]
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} if command else set()
        options = {word.strip("[],.").partition("=")[0] for word in left if word.strip("[").startswith("--")}
        wrong += [] if command and options <= known | {"--help"} else [" ".join(["tocsin", *words])]
    assert wrong == []


def test_json_in_documents_is_json() -> None:
    for document in DOCUMENTS:
        for block in re.findall(r"```json\n(.*?)```", (ROOT / document).read_text(), re.DOTALL):
            json.loads(block)
