"""Templates over REST, on a whole gateway with its Kafka: written, tried out, changed, gone, and whose they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contracts import events as e
from contracts.topics import SETTINGS
from kit.settings import KafkaSettings
from tests.services.gateway.conftest import ADMIN, ADMIN_ELSEWHERE, ALICE, SERVICE, House, settings_of
from tests.services.gateway.support import Gateway, Others, others, running

URL = "/v1/admin/templates/welcome"
WELCOME: dict[str, Any] = {
    "subject": "Welcome, {{ name }}",
    "html": '<p>Hello {{ name }},<br>you are number {{ n }}.</p><p><a href="{{ link }}">Come in</a></p>',
    "sms": "Hi {{ name }}",
    "locales": {
        "fr": {"subject": "Bienvenue, {{ name }}", "html": "<p>Bonjour {{ name }}</p>", "inapp": "Salut {{ name }}"},
        "fr-CA": {"subject": "Allô {{ name }}"},
    },
    "required": ["name", "n"],
    "types": {"n": "number"},
}
DATA = {"name": "Zoé <b>", "n": 7, "link": "https://example.com/?a=1&b=2"}


@pytest.fixture
async def services(kafka: KafkaSettings) -> AsyncIterator[Others]:
    """Everybody else, who reads what the gateway says of templates."""
    async with others(kafka, (SETTINGS,), "intake.directory") as found:
        yield found


@pytest.fixture
async def gateway(services: Others, database: str, folder: Path) -> AsyncIterator[Gateway]:
    async with running(settings_of(services.kafka, database, folder)) as found:
        yield found


async def put(gateway: Gateway, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    answer = await gateway.http.put(URL, json=body or WELCOME, headers=ADMIN | headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
    found: dict[str, Any] = answer.json()
    return found


async def tried(gateway: Gateway, status: int = 200, **asked: Any) -> dict[str, Any]:
    answer = await gateway.http.post(f"{URL}/preview", json={"data": DATA} | asked, headers=SERVICE)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_written_seen_changed_and_gone(gateway: Gateway, services: Others) -> None:
    """A template's life, and what intake is told of it: the texts of a version first, then that it is in force."""
    first = await put(gateway)
    assert (first["template"], first["created_by"]) == ("welcome@1", "root")
    assert (await gateway.http.get(URL, headers=SERVICE)).json() == first
    assert first["locales"] == WELCOME["locales"] and "plain" not in str(first) and "text" not in first
    assert (await put(gateway, {"text": "two"}))["template"] == "welcome@2"
    listed = (await gateway.http.get("/v1/admin/templates", headers=ALICE)).json()
    assert listed == {"items": [{"name": "welcome", "version": 2, "template": "welcome@2"}]}
    kept = (await gateway.http.get(f"{URL}/versions", headers=ADMIN)).json()["items"]
    assert [(one["template"], one["in_force"]) for one in kept] == [("welcome@2", True), ("welcome@1", False)]
    assert (await gateway.http.get(f"{URL}?version=1", headers=ADMIN)).json() == first
    assert (await gateway.http.delete(URL, headers=ADMIN)).status_code == 204
    assert (await gateway.http.get(URL, headers=ADMIN)).status_code == 404
    told = await services.hear(e.Setting, 4)
    assert sorted(one.id for one in told) == ["welcome", "welcome", "welcome@1", "welcome@2"]
    assert [one.value for one in told if one.id == "welcome"] == [{"current": 1}, {"current": 2}]
    gone = await services.hear(e.Tombstone, 3)
    assert {one.path for one in gone} == {"template/welcome", "template/welcome@1", "template/welcome@2"}


async def test_a_number_is_never_used_again(gateway: Gateway) -> None:
    """Intake keeps the texts of a version for good: after a deletion it goes on counting."""
    await put(gateway)
    await gateway.http.delete(URL, headers=ADMIN)
    assert (await put(gateway))["version"] > 1


async def test_a_stale_version_is_412(gateway: Gateway) -> None:
    """And of several changes of one version, one gets through."""
    await put(gateway)
    answers = await asyncio.gather(
        *(gateway.http.put(URL, json=WELCOME, headers=ADMIN | {"If-Match": '"1"'}) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    for method in ("PUT", "DELETE"):
        body = WELCOME if method == "PUT" else None
        stale = await gateway.http.request(method, URL, json=body, headers=ADMIN | {"If-Match": '"1"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")


async def test_of_a_change_and_a_deletion_of_one_version_one_gets_through(gateway: Gateway) -> None:
    """Neither undoes what its maker has not seen."""
    await put(gateway)
    seen = ADMIN | {"If-Match": '"1"'}
    changed, gone = await asyncio.gather(
        gateway.http.put(URL, json=WELCOME, headers=seen), gateway.http.delete(URL, headers=seen)
    )
    assert sorted((changed.status_code, gone.status_code)) in ([200, 412], [204, 412])


@pytest.mark.parametrize(
    ("channel", "locale", "subject", "text"),
    [
        (
            "email",
            None,
            "Welcome, Zoé <b>",
            "Hello Zoé <b>,\nyou are number 7.\n\n[Come in](https://example.com/?a=1&b=2)",
        ),
        (
            "email",
            "de",
            "Welcome, Zoé <b>",
            "Hello Zoé <b>,\nyou are number 7.\n\n[Come in](https://example.com/?a=1&b=2)",
        ),
        ("email", "fr-CA", "Allô Zoé <b>", "Bonjour Zoé <b>"),
        ("email", "fr_BE", "Bienvenue, Zoé <b>", "Bonjour Zoé <b>"),
        ("sms", "en", None, "Hi Zoé <b>"),
        ("inapp", "fr", "Bienvenue, Zoé <b>", "Salut Zoé <b>"),
    ],
)
async def test_a_preview_is_what_would_be_sent(
    gateway: Gateway, channel: str, locale: str | None, subject: str | None, text: str
) -> None:
    """Nearest language first, each channel its parts; a text that nobody wrote is made from the HTML."""
    await put(gateway)
    seen = await tried(gateway, channel=channel, locale=locale)
    assert (seen.get("subject"), seen["text"].strip(), seen["template"]) == (subject, text, "welcome@1")


async def test_the_html_is_escaped_and_cleaned(gateway: Gateway) -> None:
    """Data cannot bring elements, nor an address that runs a script."""
    await put(gateway)
    html = (await tried(gateway, data=DATA | {"link": "javascript:alert(1)"}))["html"]
    assert "Zoé &lt;b&gt;" in html and "javascript" not in html
    await put(gateway, {"subject": "s", "html": "<p>{{ x|safe }}</p>"})
    html = (await tried(gateway, data={"x": "<script>alert(1)</script><img src=x onerror=alert(1)>y"}))["html"]
    assert html == '<p><img src="x">y</p>'


async def test_an_older_version_can_be_tried(gateway: Gateway) -> None:
    """The old ones stay."""
    await put(gateway, {"subject": "s", "text": "one"})
    await put(gateway, {"subject": "s", "text": "two"})
    assert [(await tried(gateway, version=n))["text"] for n in (1, 2)] == ["one", "two"]
    assert (await tried(gateway, 404, version=3))["code"] == "not_found"


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        ({}, "missing_data", "data: the template needs name, n"),
        ({"name": "Zoé"}, "missing_data", "data: the template needs n"),
        ({"name": "Zoé", "n": "7"}, "bad_data", "data: n is to be a number"),
        ({"name": "Zoé", "n": 7}, "missing_data", "text: data: link missing"),
        ({**DATA, "name": "a\nBcc: x"}, "invalid", "subject: holds a line break"),
    ],
)
async def test_what_is_missing_is_named(gateway: Gateway, data: dict[str, Any], code: str, says: str) -> None:
    """By the words that intake rejects with."""
    await put(gateway)
    answer = await tried(gateway, 422, data=data)
    assert answer["code"] == code and answer["detail"].startswith(says)


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"text": "a\n{% if %}"}, "text", "line 2"),
        ({"text": "a", "locales": {"fr": {"html": "<p>\n\n{{ x|nothing }}</p>"}}}, "locales.fr.html", "line 3"),
        ({"text": "a\n{{ ''.__class__ }}"}, "text", "line 2: __class__ is not allowed"),
        ({"text": "{{ x['__init__'] }}"}, "text", "line 1: __init__ is not allowed"),
        ({"text": "{% include 'other' %}"}, "text", "line 1: a template stands alone"),
        ({"text": "{{ '{0}'.format(x) }}"}, "text", "line 1: .format() is not allowed"),
        ({"html": "é" * 33 * 1024}, "html", "is larger than 64 KiB"),
        ({"html": "<div>" * 200}, "html", "has more than 100 elements"),
        ({"subject": "only"}, "text", "there is nothing to send"),
        ({"text": "a", "required": ["a b"]}, "required.0", "is not a name for data"),
        ({"text": "a", "types": {"a": "colour"}}, "types.a", "'text', 'number'"),
        ({"text": "a", "locales": {"french!": {"text": "b"}}}, "locales.french!", "is not a language"),
        ({"text": "a", "htlm": "b"}, "htlm", ""),
    ],
)
async def test_a_bad_template_is_refused_by_field_and_line(
    house: House, body: dict[str, Any], field: str, says: str
) -> None:
    """At PUT, not when somebody waits for it."""
    answer = await house.http.put(URL, json=body, headers=ADMIN)
    assert answer.status_code == 422, answer.text
    assert any(one["field"].startswith(field) and says in one["message"] for one in answer.json()["errors"]), (
        answer.text
    )


async def test_admins_write_services_read_and_everybody_knows_the_names(gateway: Gateway) -> None:
    """Of their own tenant."""
    await put(gateway)
    for who in (ALICE, SERVICE):
        assert (await gateway.http.put(URL, json=WELCOME, headers=who)).status_code == 403
        assert (await gateway.http.delete(URL, headers=who)).status_code == 403
    for method, url in (("GET", URL), ("GET", f"{URL}/versions"), ("POST", f"{URL}/preview")):
        for who, status in ((ALICE, 403), (SERVICE, 200), (ADMIN_ELSEWHERE, 404)):
            answer = await gateway.http.request(method, url, json={"data": DATA}, headers=who)
            assert answer.status_code == status, (method, url, answer.text)
    assert (await gateway.http.get("/v1/admin/templates", headers=ADMIN_ELSEWHERE)).json() == {"items": []}


async def test_names_come_in_pages(gateway: Gateway) -> None:
    """Each once, by name."""
    for name in ("c", "a-b", "a", "B"):
        await gateway.http.put(f"/v1/admin/templates/{name}", json={"text": "t"}, headers=ADMIN)
    found, after = [], ""
    while True:
        page = (await gateway.http.get(f"/v1/admin/templates?limit=2&after={after}", headers=ALICE)).json()
        found += [one["name"] for one in page["items"]]
        if not (after := page.get("next", "")):
            break
    assert found == ["B", "a", "a-b", "c"]


async def test_without_kafka_nothing_is_promised(house: House) -> None:
    """503, and nothing is in force."""
    assert (await house.http.put(URL, json=WELCOME, headers=ADMIN)).status_code == 503
    assert (await house.http.get(URL, headers=ADMIN)).status_code == 404
