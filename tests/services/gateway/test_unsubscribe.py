"""A link in a mail: looking changes nothing, one click stops the category and nothing else, and nobody forges one."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contracts import events as e
from contracts.topics import PREFERENCES
from kit.bus.publisher import Publisher
from kit.bus.record import Received
from kit.clock import utc_now
from kit.settings import KafkaSettings, Settings
from kit.stage import Message
from kit.unsubscribing import Unsubscribing
from services.gateway.http.people.unsubscribe_page import language_of
from services.gateway.rules.wishes import Categories, kept
from tests.services.gateway.conftest import BOB, House, opened, settings_of
from tests.services.gateway.support import Gateway, others, running, until

SECRET = "a secret of the links of this test session"
LINKS = Unsubscribing("", SECRET, [])
STOP = {"email": False}
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
WANTS = "/v1/recipients/bob/preferences"
FORM = re.compile(r'<form method="post"><input type="hidden" name="([\w-]+)" value="([\w-]+)"><button>([^<]+)</button>')


def link_of(category: str = "news", user_id: str = "bob", tenant: str = "default") -> str:
    """Its path, as a mail carries it behind the public address."""
    return str(LINKS.link(tenant, user_id, category))


@asynccontextmanager
async def gateway(kafka: KafkaSettings, database: str, folder: Path) -> AsyncIterator[Gateway]:
    """A whole gateway over a real Kafka, which signs and reads links."""
    async with others(kafka), running(_settings(kafka, database, folder)) as gateway:
        yield gateway


@asynccontextmanager
async def without_kafka(kafka: KafkaSettings, database: str, folder: Path) -> AsyncIterator[House]:
    away = Publisher(kafka, "gateway", deadline=0.3)
    async with opened(_settings(kafka, database, folder), away) as house:
        yield house


def _settings(kafka: KafkaSettings, database: str, folder: Path) -> Settings:
    return settings_of(kafka, database, folder).model_copy(update={"link_secret": SECRET})


async def wanted(gateway: Gateway) -> dict[str, object]:
    found: dict[str, object] = (await gateway.http.get(WANTS, headers=BOB)).json()["categories"]
    return found


async def test_one_click_stops_the_category_and_nothing_else(
    kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    """RFC 8058: a POST without a cookie, a token or a page before it; the second is no error."""
    before = {"categories": {"news": {"sms": False}, "offers": {"inapp": False}}, "quiet_hours": []}
    async with gateway(kafka, database, tmp_path) as house:
        assert (await house.http.put(WANTS, json=before, headers=BOB)).status_code == 200
        for _ in range(2):
            answer = await house.http.post(link_of(), data=ONE_CLICK)
            assert (answer.status_code, answer.history) == (200, [])
            assert await wanted(house) == {"news": {"email": False, "sms": False}, "offers": {"inapp": False}}


async def test_mail_programs_may_send_the_form_in_parts(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    """RFC 8058, 3.2: multipart/form-data as well."""
    async with gateway(kafka, database, tmp_path) as house:
        answer = await house.http.post(link_of(), files={"List-Unsubscribe": (None, "One-Click")})
        assert answer.status_code == 200
        assert await wanted(house) == {"news": {"email": False}}


async def test_looking_changes_nothing_and_the_button_does(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    """Without JavaScript: a form; and a second one takes it back."""
    async with gateway(kafka, database, tmp_path) as house:
        for button, then in (("Unsubscribe", {"news": {"email": False}}), ("Send them again", {})):
            page = await house.http.get(link_of())
            found = FORM.search(page.text)
            assert found and found[3] == button
            assert await wanted(house) != then
            assert (await house.http.post(link_of(), data={found[1]: found[2]})).status_code == 200
            assert await wanted(house) == then


async def test_links_that_are_followed_at_once_lose_none(kafka: KafkaSettings, database: str, tmp_path: Path) -> None:
    """Each reads the whole object and writes it anew: on two gateways, ten at a time."""
    settings = _settings(kafka, database, tmp_path)
    async with others(kafka), running(settings) as one, running(settings) as other:
        names = [f"kind-{n}" for n in range(10)]
        answers = await asyncio.gather(
            *((one, other)[n % 2].http.post(link_of(name), data=ONE_CLICK) for n, name in enumerate(names))
        )
        assert {answer.status_code for answer in answers} <= {200, 202, 503}
        done = {name for name, answer in zip(names, answers, strict=True) if answer.status_code != 503}
        assert done
        await until(lambda: _all_in_force(one, done))


async def test_a_click_and_a_change_of_the_settings_at_once_lose_neither(
    kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    """A person saves a page while a link of his is followed, again and again, at two gateways."""
    settings = _settings(kafka, database, tmp_path)
    async with others(kafka), running(settings) as one, running(settings) as other:
        for n in range(5):
            before = (await one.http.get(WANTS, headers=BOB)).json()["categories"]
            mine = {"categories": before | {f"mine-{n}": {"sms": False}}, "quiet_hours": []}
            click, saved = await asyncio.gather(
                other.http.post(link_of(f"link-{n}"), data=ONE_CLICK), one.http.put(WANTS, json=mine, headers=BOB)
            )
            assert (click.status_code, saved.status_code) == (200, 200), saved.text
            found = await wanted(one)
            assert found[f"link-{n}"] == {"email": False} and found[f"mine-{n}"] == {"sms": False}, n


@pytest.mark.parametrize(
    ("asked", "seen", "now", "comes_to"),
    [
        ({"a": {"sms": False}}, {}, {}, {"a": {"sms": False}}),
        ({"a": {"sms": False}}, {}, {"n": STOP}, {"a": {"sms": False}, "n": STOP}),
        ({"n": {"sms": False}}, {"n": {"sms": False}}, {"n": STOP | {"sms": False}}, {"n": STOP | {"sms": False}}),
        ({"n": STOP}, {"n": STOP}, {}, {}),
        ({}, {"n": STOP}, {"n": STOP}, {}),
        ({"n": {"email": True}}, {"n": STOP}, {"n": STOP}, {"n": {"email": True}}),
        ({"n": STOP}, {}, {}, {"n": STOP}),
    ],
    ids=[
        "alone",
        "a link stopped another",
        "a link stopped the same",
        "a link allowed",
        "takes back",
        "says so",
        "stops",
    ],
)
def test_what_a_link_changed_meanwhile_stays(
    asked: Categories, seen: Categories, now: Categories, comes_to: Categories
) -> None:
    assert kept(asked, seen, now) == comes_to


async def _all_in_force(gateway: Gateway, names: set[str]) -> bool:
    return {name: {"email": False} for name in names}.items() <= (await wanted(gateway)).items()


async def test_without_kafka_it_is_not_said_to_be_done(nowhere: KafkaSettings, database: str, tmp_path: Path) -> None:
    async with without_kafka(nowhere, database, tmp_path) as house:
        answer = await house.http.post(link_of(), data=ONE_CLICK)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert FORM.search(answer.text), "the page offers to try again"


async def test_without_a_database_a_person_reads_a_page_and_the_log_no_link(
    nowhere: KafkaSettings, database: str, tmp_path: Path
) -> None:
    away = database.replace("host=/", "host=/nowhere/")
    async with without_kafka(nowhere, away, tmp_path) as house:
        with capture_logs() as logged:
            for method in ("GET", "POST"):
                answer = await house.http.request(method, link_of())
                assert answer.status_code == 503 and FORM.search(answer.text)
            await house.http.get(WANTS, headers=BOB)
    assert [line["path"] for line in logged] == ["/v1/recipients/{user_id}/preferences"]


async def test_a_person_who_stopped_two_hundred_is_told(nowhere: KafkaSettings, database: str, tmp_path: Path) -> None:
    """One more would make the whole object unreadable."""
    async with without_kafka(nowhere, database, tmp_path) as house:
        full = {f"kind-{n}": {"email": False} for n in range(200)}
        told = e.Preference(user_id="bob", subject_name="categories", value=full)
        await house.remembers(Message(told, Received(PREFERENCES.name, 0, 1, utc_now(), b"", b"")))
        for _ in range(2):
            assert (await house.http.post(link_of(), data=ONE_CLICK)).status_code == 409


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_we_did_not_sign_leads_nowhere(
    nowhere: KafkaSettings, database: str, tmp_path: Path, method: str
) -> None:
    """Nor what belongs to the account: nobody opts out of that."""
    forged = str(Unsubscribing("", "another secret, which is as long as ours", []).link("default", "bob", "news"))
    async with without_kafka(nowhere, database, tmp_path) as house:
        for path in (forged, link_of()[:-1], link_of("security"), "/v1/unsubscribe/0"):
            answer = await house.http.request(method, path)
            assert answer.status_code == 404 and "This link does not work" in answer.text


async def test_a_page_runs_nothing_and_is_kept_nowhere(nowhere: KafkaSettings, database: str, tmp_path: Path) -> None:
    async with without_kafka(nowhere, database, tmp_path) as house:
        answer = await house.http.get(link_of("<script>x()"))
        policy = answer.headers["content-security-policy"]
        [style] = re.findall(r"<style>(.*)</style>", answer.text)
        assert f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "script-src" not in policy
        assert "<script" not in answer.text and "&lt;script&gt;" in answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in answer.headers


async def test_the_page_speaks_the_readers_language(nowhere: KafkaSettings, database: str, tmp_path: Path) -> None:
    async with without_kafka(nowhere, database, tmp_path) as house:
        for accepts, language, says in (("fr-CA,en;q=0.8", "fr", "Me désabonner"), ("de", "en", "Unsubscribe")):
            answer = await house.http.get(link_of(), headers={"Accept-Language": accepts})
            assert answer.headers["content-language"] == language and f'lang="{language}"' in answer.text
            assert says in answer.text


@pytest.mark.parametrize(
    ("accepts", "language"),
    [
        ("", "en"),
        ("*", "en"),
        ("fr", "fr"),
        ("FR-ca", "fr"),
        ("en-GB,fr", "en"),
        ("en;q=0.2, fr;q=0.9", "fr"),
        ("de, fr;q=0.5", "fr"),
        ("fr;q=0", "en"),
        ("fr;q=nonsense", "en"),
        ("fr" + "," * 5000, "fr"),
    ],
)
def test_the_language_that_is_liked_best(accepts: str, language: str) -> None:
    assert language_of(accepts) == language
