"""What the gateway gives away about the events: whole, cached, and for pages of any site."""

from __future__ import annotations

import json

from services.gateway.http.pages.downloads import CONTRACTS
from tests.services.gateway.conftest import House


async def test_the_document_is_the_committed_one(house: House) -> None:
    """Packed or not; who has it already is told so."""
    answer = await house.http.get("/asyncapi.json")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads((CONTRACTS / "asyncapi.json").read_text())
    assert answer.headers["access-control-allow-origin"] == "*"
    again = await house.http.get("/asyncapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_all_that_is_listed_is_there(house: House) -> None:
    """Each event with a schema; what a request says has an example."""
    index = (await house.http.get("/schemas")).json()
    for item in index["items"]:
        for kind in ("schema", "example"):
            if kind in item:
                assert (await house.http.get(item[kind])).status_code == 200, item
    by_event = {item["event"]: item for item in index["items"]}
    assert len([one for one in by_event.values() if "schema" in one]) > 20
    assert by_event["tocsin.due"]["example"] == "/examples/tocsin.due.json"
    assert (await house.http.get("/schemas/../app.py")).status_code == 404


async def test_the_page_of_the_api_leads_there(house: House) -> None:
    described = (await house.http.get("/openapi.json")).json()["info"]["description"]
    assert "/asyncapi.json" in described and "/schemas" in described
