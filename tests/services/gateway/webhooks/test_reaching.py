"""No name and no address leads a webhook into the house, and who it reaches proves who he is."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.settings import KafkaSettings
from tests.secured.certificates import Authority
from tests.services.gateway.conftest import ADMIN, House, opened, settings_of
from tests.services.gateway.receiving import Receiver, listening
from tests.services.gateway.webhooks.support import WHERE, delivering, happen, register, tried, verified
from tests.waiting import eventually


async def test_a_receiver_of_the_house_is_trusted_by_its_own_authority(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names whom else to trust, as for every other program of the machine."""
    authority = Authority(tmp_path)
    signed = authority.identity("receiver")
    options = {"ssl_certfile": str(signed.certificate), "ssl_keyfile": str(signed.key)}
    async with listening(Receiver(), **options) as receiver:
        made = await register(house, receiver.url.replace("http:", "https:"))
        await happen(house)
        async with delivering(house):
            await tried(house, made, error="tls_failed")
        assert receiver.posts == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
        await house.http.post(f"{WHERE}/{made['id']}/test", headers=ADMIN)
        async with delivering(house):
            await eventually(lambda: bool(receiver.posts))
    assert verified(receiver.posts[0], made["secret"])["type"] == "webhook.test"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "10.0.0.1", "fe80::1%lo"]
)
async def test_a_name_that_leads_into_the_house_is_not_followed(house: House, receiver: Receiver, address: str) -> None:
    async def leads(_host: str, _port: int) -> list[str]:
        return [address]

    made = await register(house, f"http://example.org:{receiver.port}/")
    async with delivering(house, permitted=(), resolve=leads):
        await happen(house)
        one = await tried(house, made, error="address_refused")
    assert one["state"] == "pending" and not receiver.posts


async def test_what_a_name_means_is_asked_once_and_that_is_connected_to(house: House, receiver: Receiver) -> None:
    """DNS rebinding: a second look would see another address."""
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    made = await register(house, f"http://rebinding.example:{receiver.port}/")
    async with delivering(house, resolve=rebinding):
        await happen(house)
        await tried(house, made, state="delivered")
    assert asked == ["rebinding.example"] and receiver.posts[0].headers["host"].startswith("rebinding.example")


async def test_of_several_addresses_only_those_outside_are_tried(house: House, receiver: Receiver) -> None:
    async def both(_host: str, _port: int) -> list[str]:
        return ["10.0.0.1", "127.0.0.2", "127.0.0.1"]

    made = await register(house, f"http://both.example:{receiver.port}/")
    async with delivering(house, resolve=both):
        await happen(house)
        await tried(house, made, state="delivered")


async def test_localhost_by_its_own_name_is_refused(house: House, receiver: Receiver) -> None:
    """With the machine's own resolver, in whatever way the number is written."""
    for host in ("localhost", "127.1", "2130706433", "0x7f000001"):
        made = await register(house, f"http://{host}:{receiver.port}/")
        async with delivering(house, permitted=()):
            await happen(house)
            one = await tried(house, made)
        assert one["error"] in ("address_refused", "name_not_found"), host
        await house.http.delete(f"{WHERE}/{made['id']}", headers=ADMIN)
    assert not receiver.posts


async def test_settings_that_became_stricter_count(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    async with delivering(house, permitted=()):
        await happen(house)
        await tried(house, made, error="address_refused")
    assert not receiver.posts


async def test_a_name_that_nobody_knows(house: House) -> None:
    made = await register(house, "http://nobody.invalid/")
    async with delivering(house):
        await happen(house)
        await tried(house, made, error="name_not_found")


async def test_a_certificate_that_is_not_trusted(house: House, receiver: Receiver) -> None:
    """Nor is a server that speaks no TLS at all."""
    made = await register(house, receiver.url.replace("http:", "https:"))
    async with delivering(house):
        await happen(house)
        await tried(house, made, error="tls_failed")
    assert not receiver.posts


async def test_an_address_that_cannot_be_used_is_refused(database: str, nowhere: KafkaSettings, tmp_path: Path) -> None:
    """Without the settings for development."""
    async with opened(settings_of(nowhere, database, tmp_path)) as strict:
        for url in ("http://example.org/", "https://127.0.0.1/", "https://[::ffff:10.0.0.1]/"):
            answer = await strict.http.post(WHERE, json={"url": url}, headers=ADMIN)
            assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "url", url
        assert (await strict.http.post(WHERE, json={"url": "https://example.org/"}, headers=ADMIN)).status_code == 201
