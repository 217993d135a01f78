"""The schemas and the AsyncAPI document say what the code says."""

import json

import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema

from contracts import generate, topics
from contracts.topics import SERVICES


def test_what_is_committed_is_what_would_be_generated() -> None:
    assert list(generate.stale(generate.files())) == []


def test_a_difference_is_found() -> None:
    wanted = generate.files()
    path, text = next(iter(wanted.items()))
    assert list(generate.stale(wanted | {path: text + " "})) == [path]
    without = {other: text for other, text in wanted.items() if other != path}
    assert list(generate.stale(without)) == [path]


def test_every_event_has_a_schema() -> None:
    names = {path.stem for path in generate.SCHEMAS.glob("*.json")}
    assert names == {event.ce_type for topic in topics.ALL for event in topic.events} | set(generate.OUTSIDE)


def test_the_document_is_asyncapi_3() -> None:
    """FastStream's own model of the specification is the judge."""
    document = json.loads((generate.FOLDER / "asyncapi.json").read_text())
    assert document["asyncapi"].startswith("3.")
    judged = ApplicationSchema.model_validate(document)
    assert set(judged.channels or {}) == set(topics.BY_NAME)
    assert {tag["name"] for operation in document["operations"].values() for tag in operation["tags"]} >= set(SERVICES)


def test_every_reference_leads_somewhere() -> None:
    document = json.loads((generate.FOLDER / "asyncapi.json").read_text())
    for reference in set(_references(document)):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in found, reference
            found = found[part]


def test_what_outsiders_may_write_says_so() -> None:
    fields = json.loads((generate.SCHEMAS / "outside.request.json").read_text())["properties"]
    assert {"type", "tenant", "id", "source", "channel", "to", "body", "send_at"} <= fields.keys()


@pytest.mark.parametrize("arguments", [["--check"]])
def test_the_check_is_silent_when_all_is_well(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(arguments) == 0
    assert capsys.readouterr() == ("", "")


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for inner in node.values() for found in _references(inner)]
    if isinstance(node, list):
        return [found for inner in node for found in _references(inner)]
    return []
