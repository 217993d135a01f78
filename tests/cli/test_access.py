"""Keys, suppressions, the audit and channels on the command line, against a real gateway."""

from __future__ import annotations

import pytest

from contracts.topics import ALL
from tests.cli.conftest import Place
from tests.kit.bus.support import make, until_true
from tests.kit.control.support import instance

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_key_opens_what_it_says_until_it_is_revoked(place: Place) -> None:
    """Printed alone and once; of it the list shows the beginning."""
    made = await place.tocsin("keys", "create", "billing", "--scope", "send", "--scope", "read", "--expires", "+90d")
    key = made.out.strip()
    assert made.code == 0 and key.startswith("tk_") and "\n" not in key, made.err
    sent = await place.tocsin(
        "send", "--to", "delivered@simulator.test", "--subject", "s", "--body", "b", "--token", key
    )
    assert sent.code == 0, sent.err
    refused = await place.tocsin("jobs", "list", "--token", key)
    assert refused.code == 1
    [shown] = (await place.tocsin("keys", "list", "--json")).json["keys"]
    assert key.startswith(shown["shown"]) and "key" not in shown and shown["scopes"] == ["send", "read"]
    table = await place.tocsin("keys", "list")
    assert "billing" in table.out and "good until" in table.out and key not in table.out
    assert (await place.tocsin("keys", "revoke", shown["id"])).out == f"{shown['id']} is revoked\n"
    assert "revoked" in (await place.tocsin("keys", "list")).out
    assert (await place.tocsin("keys", "revoke", "../audit")).code == 1
    wrong = await place.tocsin("keys", "create", "billing", "--scope", "everything")
    assert wrong.code == 1 and "scopes" in wrong.err


async def test_an_address_is_suppressed_and_lifted(place: Place) -> None:
    """By the address itself, which nobody has stored, or by its id."""
    await make(place.stack.kafka, *ALL)
    added = await place.tocsin("suppressions", "add", "gone@example.org", "--json")
    assert added.code == 0, added.err
    id = added.json["id"]
    assert (await place.tocsin("suppressions", "add", "+33612345678")).code == 0
    listed = await place.until(id, "suppressions", "list", "--channel", "email")
    assert id in listed.out and "manual" in listed.out and "+33" not in listed.out
    assert (await place.tocsin("suppressions", "list", "--to", "gone@example.org", "--json")).json["suppressions"]
    assert (await place.tocsin("suppressions", "lift", "gone@example.org")).code == 0
    again = await place.until("is not suppressed", "suppressions", "lift", "gone@example.org")
    assert again.code == 1 and "is not suppressed" in again.err
    [text] = (await place.tocsin("suppressions", "list", "--json")).json["suppressions"]
    assert (await place.tocsin("suppressions", "lift", text["id"])).code == 0


async def test_the_audit_says_who_did_it(place: Place) -> None:
    await place.tocsin("keys", "create", "audited", "--scope", "read")
    seen = await place.tocsin("audit", "--path", "/v1/admin/api-keys", "--since", "1h", "--limit", "1", "--json")
    [deed] = seen.json["audit"]
    assert (deed["who"], deed["method"], deed["status"]) == ("user:operator", "POST", 201)
    assert "POST /v1/admin/api-keys" in (await place.tocsin("audit", "--who", "user:operator")).out
    assert (await place.tocsin("audit", "--who", "user:nobody", "--json")).json == {"audit": []}


async def test_a_channel_is_paused_and_resumed(place: Place) -> None:
    await make(place.stack.kafka, *ALL)
    assert "unknown" in (await place.tocsin("channels", "list")).out
    told = {"channels": {"email": True}}
    async with instance(place.stack.kafka, place.stack.database, {}, "email_sender", about=lambda: told):
        paused = await place.until("pause of email: done", "channels", "pause", "email")
        assert paused.code == 0 and paused.out.endswith("pause of email: done\n"), paused.err

        async def heard() -> bool:
            return "paused" in (await place.tocsin("channels", "list")).out

        await until_true(heard)
        resumed = await place.until('"paused": false', "channels", "resume", "email", "--json")
        assert resumed.code == 0
    unknown = await place.tocsin("channels", "pause", "inapp")
    assert unknown.code == 1 and "email, sms" in unknown.err


async def test_shells_complete_commands(place: Place) -> None:
    """By what they ask the program for."""
    asked = {"_TOCSIN_COMPLETE": "complete_bash", "COMP_WORDS": "tocsin sup", "COMP_CWORD": "1"}
    done = await place.tocsin(**asked)
    assert "suppressions" in done.out
