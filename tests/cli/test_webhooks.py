"""`tocsin webhooks` against a real gateway: added, tried out, listed, replayed, removed."""

from __future__ import annotations

import pytest

from contracts.topics import ALL
from tests.cli.conftest import Place
from tests.kit.bus.support import make

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_from_its_adding_to_its_end(place: Place) -> None:
    """The name of this one leads nowhere: what is posted to it fails, and says why."""
    await make(place.stack.kafka, *ALL)
    asked = ("https://nobody.invalid/hook", "--event", "notification.sent", "--channel", "email")
    made = await place.tocsin("webhooks", "add", *asked, "--json")
    assert made.code == 0 and made.json["secret"].startswith("whsec_"), made.err
    id = made.json["id"]
    tried = await place.tocsin("webhooks", "test", id)
    assert tried.code == 1 and "name_not_found" in tried.out, tried.err
    listed = await place.tocsin("webhooks", "list")
    assert id in listed.out and "failing since" in listed.out and "secret" not in listed.out
    shown = await place.tocsin("webhooks", "deliveries", id, "--state", "pending", "--json")
    [one] = shown.json["deliveries"]
    again = await place.tocsin("webhooks", "replay", id, "--delivery", one["id"])
    assert again.code == 0 and "1 posted again" in again.out
    assert (await place.tocsin("webhooks", "replay", id, "--since", "1h", "--json")).json == {"replayed": 0}
    other = await place.tocsin("webhooks", "rotate", id)
    assert other.out.startswith("whsec_") and other.out.strip() != made.json["secret"]
    off = await place.tocsin("webhooks", "disable", id)
    assert off.code == 0 and "disabled: by_admin" in off.out, off.err
    on = await place.tocsin("webhooks", "enable", id, "--json")
    assert on.json["enabled"] is True and on.json["events"] == ["notification.sent"], on.err
    assert on.json["channels"] == ["email"]
    assert (await place.tocsin("webhooks", "remove", id)).code == 0
    assert (await place.tocsin("webhooks", "list", "--json")).json == {"webhooks": []}


async def test_what_is_wrong_is_said(place: Place) -> None:
    for arguments, word in (
        (("add", "http://example.org/"), "https"),
        (("add", "https://example.org/", "--event", "notification.sending"), "events"),
        (("add", "https://example.org/", "--channel", "fax"), "channels"),
        (("remove", "../api-keys"), "no id"),
        (("test", "00000000-0000-0000-0000-000000000000"), "webhook"),
    ):
        done = await place.tocsin("webhooks", *arguments)
        assert done.code == 1 and word in done.err, (arguments, done.err)
