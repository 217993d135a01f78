"""What every answer of the gateway tells a browser, whatever it is the answer to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from kit.settings import KafkaSettings
from tests.services.gateway.conftest import ALICE, EMAIL, House, opened, settings_of

NOTHING = "default-src 'none'; frame-ancestors 'none'"


def assert_guarded(answer: httpx.Response) -> None:
    told = answer.headers
    assert told["x-content-type-options"] == "nosniff", answer.request.url
    assert told["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in told["content-security-policy"] or "tocsin-bell" in str(answer.request.url)
    assert "cache-control" in told
    for name in ("cache-control", "content-security-policy", "x-content-type-options"):
        assert len(told.get_list(name)) <= 1, name


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/notifications", 200),
        ("GET", "/v1/inbox", 200),
        ("GET", "/v1/stats", 200),
        ("GET", "/v1/schedules/019365f0-0000-7000-8000-000000000000", 404),
        ("GET", "/v1/admin/configuration", 403),
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/notifications", 405),
        ("GET", "/v1/notifications?to=%00", 422),
        ("GET", "/notifications/statistiques/globales", 200),
    ],
)
async def test_an_answer_about_people_is_kept_nowhere(house: House, method: str, path: str, status: int) -> None:
    """What is refused, too: that somebody asked is the person's own business."""
    answer = await house.http.request(method, path, headers=ALICE)
    assert answer.status_code == status, answer.text
    assert_guarded(answer)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == NOTHING
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_what_is_found_by_its_address_alone_is_guarded_as_well(house: House) -> None:
    """POSTs that pass FastAPI by, accepted and refused, with a token and without."""
    for headers, body, status in ((ALICE, EMAIL, 202), (ALICE, {}, 422), ({}, EMAIL, 401)):
        answer = await house.http.post("/v1/notifications", json=body, headers=headers)
        assert answer.status_code == status, answer.text
        assert_guarded(answer)
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/docs", "/openapi.json", "/demo", "/demo/demo.js", "/health/ready", "/metrics", "/v1/unsubscribe/x"]
)
async def test_pages_and_files_are_guarded_and_have_a_policy_of_their_own(house: House, path: str) -> None:
    answer = await house.http.get(path)
    assert_guarded(answer)
    assert "'unsafe-eval'" not in answer.headers["content-security-policy"]


async def test_the_bell_stays_everybodys(house: House) -> None:
    """A page of another site that loads it may: its answer says so, and is left as it is."""
    answer = await house.http.get("/bell/tocsin-bell.js")
    assert_guarded(answer)
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_the_large_files_of_the_docs_need_not_come_twice(house: House) -> None:
    first = await house.http.get("/docs/static/swagger-ui-bundle.js")
    assert first.headers["cache-control"] == "no-cache"
    again = await house.http.get("/docs/static/swagger-ui-bundle.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_mistake_of_ours_is_guarded_too(house: House) -> None:
    """The database is gone: no answer comes from a route."""
    await house.database.close()
    answer = await house.http.get("/v1/inbox", headers=ALICE)
    assert answer.status_code >= 500
    assert_guarded(answer)


@pytest.fixture(params=["https://n.example.org", "http://127.0.0.1:8000"])
async def named(
    request: pytest.FixtureRequest, database: str, nowhere: KafkaSettings, tmp_path: Path
) -> AsyncIterator[House]:
    settings = settings_of(nowhere, database, tmp_path).model_copy(update={"public_url": request.param})
    async with opened(settings) as house:
        yield house


async def test_who_came_in_private_once_asks_in_private_for_a_year(named: House) -> None:
    """RFC 6797; where the public address is none of https, nothing is promised that would lock people out."""
    answer = await named.http.get("/v1/inbox", headers=ALICE)
    private = named.settings.public_url.startswith("https:")
    assert answer.headers.get("strict-transport-security") == ("max-age=31536000" if private else None)
