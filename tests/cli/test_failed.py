"""`tocsin failed` against a real gateway: what failed is listed, and sent again once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli.failed import ago
from contracts.topics import ALL
from tests.cli.conftest import Place
from tests.kit.bus.support import make, until_true

module = pytest.mark.asyncio(loop_scope="module")


@module
async def test_listed_and_replayed(place: Place) -> None:
    """One by its id, then all since an hour: the first is not sent a third time."""
    await make(place.stack.kafka, *ALL)
    ids = []
    for _ in range(2):
        sent = await place.tocsin("send", "--to", "bounce@simulator.test", "--subject", "s", "--body", "b", "--json")
        ids.append(sent.json["id"])
        await place.failed(ids[-1], reason="refused", detail="550 no such mailbox")

    async def seen() -> bool:
        return len((await place.tocsin("failed", "list", "--json")).json["failed"]) == 2

    await until_true(seen)
    listed = await place.tocsin("failed", "list", "--channel", "email", "--since", "1h")
    assert listed.code == 0 and all(id in listed.out for id in ids) and "550 no such mailbox" in listed.out
    assert (await place.tocsin("failed", "list", "--status", "expired", "--json")).json == {"failed": []}
    one = await place.tocsin("failed", "replay", ids[0])
    assert one.code == 0 and ids[0] in one.out
    rest = await place.tocsin("failed", "replay", "--since", "1h", "--json")
    assert [done["replay_of"] for done in rest.json["replayed"]] == [ids[1]]
    assert (await place.tocsin("failed", "replay", "--since", "1h", "--json")).json["replayed"] == []


@module
async def test_what_is_wrong_is_said(place: Place) -> None:
    """One sentence each, and exit code 1."""
    for arguments, word in (
        ((), "nothing says what"),
        (("x", "--since", "1h"), "two things"),
        (("../api-keys",), "no id"),
        (("--status", "sent"), "status"),
    ):
        done = await place.tocsin("failed", "replay", *arguments)
        assert done.code == 1 and word in done.err, arguments


def test_times_ago() -> None:
    now = datetime(2027, 3, 1, 12, tzinfo=UTC)
    assert ago("90m", now) == "2027-03-01T10:30:00+00:00"
    assert ago("2027-03-01T10:30:00Z", now) == "2027-03-01T10:30:00Z"
    assert ago(None, now) is None
