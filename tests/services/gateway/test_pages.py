"""The bell and its demo page: what is served, under which headers, and who is given a token."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kit.settings import KafkaSettings
from services.gateway.http.pages.demo import is_own_page
from services.gateway.http.pages.files import WEB, without_comments
from tests.services.gateway.conftest import BOB, SECRET, House, opened, settings_of

BELL = "/bell/tocsin-bell.js"
HOME = "http://127.0.0.1:8000"
OWN = {"host": "127.0.0.1:8000", "origin": HOME, "content-type": "application/json", "sec-fetch-site": "same-origin"}


def test_the_bell_is_small() -> None:
    """As a browser without any compression gets it."""
    assert len(without_comments((WEB / "tocsin-bell.js").read_text()).encode()) < 15_000


async def test_the_bell_is_for_pages_of_other_sites(house: House) -> None:
    plain = await house.http.get(BELL, headers={"accept-encoding": "identity"})
    assert plain.headers["content-type"].startswith("text/javascript")
    assert plain.headers["access-control-allow-origin"] == "*"
    packed = await house.http.get(BELL, headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    again = await house.http.get(BELL, headers={"if-none-match": packed.headers["etag"], "accept-encoding": "gzip"})
    assert (again.status_code, again.content) == (304, b"")


async def test_its_types_name_what_it_has(house: House) -> None:
    types = (await house.http.get("/bell/tocsin-bell.d.ts")).text
    script = (WEB / "tocsin-bell.js").read_text()
    for name in (*re.findall(r"^  (?:set |get |readonly )?(\w+)[(:]", types, re.MULTILINE), "tocsin-signed-out"):
        assert name in script, name


@pytest.mark.parametrize("path", ["/demo", "/demo/demo.js", "/demo/demo.css"])
async def test_the_page_runs_nothing_but_its_own_files(house: House, path: str) -> None:
    answer = await house.http.get(path)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_page_has_nothing_inline_and_nothing_from_elsewhere(house: House) -> None:
    page = (await house.http.get("/demo")).text
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?://", page)
    for script in re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL):
        assert script == ""
    for source in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        assert (await house.http.get(source)).status_code == 200, source


async def test_no_token_is_given_away_where_it_is_not_said(house: House) -> None:
    assert (await house.http.get("/demo/token")).json() == {"tokens": False}
    answer = await house.http.post("/demo/token", json={"user": "alice"}, headers={"host": "127.0.0.1"})
    assert (answer.status_code, answer.json()["code"]) == (403, "demo_off")
    assert "tocsin token" in answer.json()["detail"]


async def test_pages_of_listed_sites_may_show_the_bell(database: str, nowhere: KafkaSettings, tmp_path: Path) -> None:
    """With a token, never with cookies; those of others are told nothing."""
    listed, asked = "https://app.example.org", {"access-control-request-headers": "authorization"}
    async with opened(settings_of(nowhere, database, tmp_path, origins=[f"{listed}:443/"])) as house:
        for origin, told in ((listed, listed), ("https://evil.example", None)):
            headers = {"origin": origin, "access-control-request-method": "POST"} | asked
            before = await house.http.options("/v1/stream/tickets", headers=headers)
            answer = await house.http.get("/v1/inbox", headers=BOB | {"origin": origin})
            for one in (before, answer):
                assert one.headers.get("access-control-allow-origin") == told
                assert "access-control-allow-credentials" not in one.headers


@pytest.fixture
async def open_house(database: str, nowhere: KafkaSettings, tmp_path: Path) -> AsyncIterator[House]:
    """In development: its page gives tokens away."""
    async with opened(settings_of(nowhere, database, tmp_path, demo=True)) as house:
        yield house


async def test_a_token_of_the_page_is_that_of_a_plain_user(open_house: House) -> None:
    answer = await open_house.http.post("/demo/token", json={"user": "alice"}, headers=OWN)
    given = answer.json()
    assert (answer.status_code, given["user"], given["expires_in"]) == (200, "alice", 3600)
    assert answer.headers["cache-control"] == "no-store"
    who = {"Authorization": f"Bearer {given['token']}"}
    assert (await open_house.http.get("/v1/inbox", headers=who)).status_code == 200
    assert (await open_house.http.get("/v1/admin/stats", headers=who)).status_code == 403
    assert SECRET not in answer.text


@pytest.mark.parametrize("body", [{}, {"user": ""}, {"user": "a b"}, {"user": "alice", "roles": ["admin"]}, []])
async def test_nobody_is_anything_but_a_user(open_house: House, body: object) -> None:
    answer = await open_house.http.post("/demo/token", json=body, headers=OWN)
    assert answer.status_code == 422


async def test_another_page_is_given_none(open_house: House) -> None:
    answer = await open_house.http.post(
        "/demo/token", json={"user": "alice"}, headers=OWN | {"origin": "https://evil.example"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_page")


@pytest.mark.parametrize(
    ("more", "own"),
    [
        ({}, True),
        ({"host": "localhost:8000", "origin": "http://localhost:8000"}, True),
        ({"host": "[::1]:8000", "origin": "http://[::1]:8000"}, True),
        ({"host": "tocsin.test", "origin": "https://tocsin.test"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://127.0.0.1:9000"}, False),
        ({"host": "evil.example:8000", "origin": "http://evil.example:8000"}, False),
        ({"host": "127.0.0.1.evil.example", "origin": "http://127.0.0.1.evil.example"}, False),
        ({"host": "[", "origin": "http://["}, False),
        ({"host": ""}, False),
        ({"content-type": "text/plain"}, False),
        ({"content-type": "application/json; charset=utf-8"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
    ],
)
def test_whose_page_is_asking(more: dict[str, str], own: bool) -> None:
    """Another origin, a name that was bent to lead here, a form that sends text: none of them is our page."""
    assert is_own_page(OWN | more, "https://tocsin.test") is own
