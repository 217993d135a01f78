"""The document of the routes is the one that is committed, and errors are problems everywhere."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest

from services.gateway.http.__main__ import FILE, described
from tests.services.gateway.conftest import ADMIN, ALICE, House


def test_the_committed_document_is_that_of_the_routes() -> None:
    assert FILE.read_text() == described(), "run: python -m services.gateway.http"


async def test_every_reference_leads_somewhere(house: House) -> None:
    document = (await house.http.get("/openapi.json")).json()
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) <= schemas


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*(references(inner) for inner in part.values()))
    return set().union(*(references(inner) for inner in part)) if isinstance(part, list) else set()


async def test_the_docs_can_be_tried(house: House) -> None:
    page = await house.http.get("/docs")
    assert page.status_code == 200
    assert "/openapi.json" in page.text


async def test_every_example_is_good(house: House) -> None:
    """Whoever presses Execute without a thought is not told that he has made a mistake."""
    document = (await house.http.get("/openapi.json")).json()
    tried = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                example = content.get("example")
                assert example, (method, path, "has no example")
                if kind != "application/json":
                    continue
                needed = [one for one in operation.get("parameters", ()) if one.get("required")]
                filled = {one["name"]: str(one.get("example", uuid4())) for one in needed}
                query = {one["name"]: filled[one["name"]] for one in needed if one["in"] == "query"}
                where = path.format(**filled)
                answer = await house.http.request(method, where, params=query, json=example, headers=ADMIN)
                assert answer.status_code in (200, 201, 202, 404, 503), (method, path, answer.text)
                tried += 1
    assert tried > 10


async def test_the_docs_need_nothing_from_elsewhere(house: House) -> None:
    """A page without its scripts is blank: in a house without a way out it used to be."""
    page = (await house.http.get("/docs")).text
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(sources) >= 3
    for source in sources:
        assert source.startswith("/docs/static/")
        found = await house.http.get(source)
        assert found.status_code == 200 and found.content


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("PUT", "/v1/notifications", 405, "method_not_allowed"),
        ("GET", "/v1/notifications?to=%00", 422, "validation_failed"),
        ("GET", "/v1/notifications/%00", 422, "validation_failed"),
        ("GET", "/v1/notifications?limit=many", 422, "validation_failed"),
        ("DELETE", "/v1/notifications", 422, "validation_failed"),
    ],
)
async def test_every_error_is_a_problem(house: House, method: str, path: str, status: int, code: str) -> None:
    """RFC 9457."""
    answer = await house.http.request(method, path, headers=ALICE)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "detail"} <= problem.keys()


async def test_health_and_metrics_are_on_the_same_port(house: House) -> None:
    assert (await house.http.get("/health/live")).json()["live"] is True
    assert (await house.http.get("/health/ready")).json()["ready"] is True
    assert "tocsin_outbox_pending" in (await house.http.get("/metrics")).text
