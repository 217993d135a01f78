"""The sender's figures hold only when each of them does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.dues import dues
from benchmarks.machine import Circumstances
from benchmarks.sender import Result
from benchmarks.smtp_clients import mails, run
from deploy.local.sink import Sink

HERE = Circumstances("a CPU", 2, 8.0, "3.11", "2027-03-01", "abcdef", 1, 5.7)
RESULT = Result(6000, 0, 4000.0, 16_000.0, 1000.0, 40.0, 1300.0, {"email_sender": 90.0}, HERE)


@pytest.mark.parametrize(
    ("change", "holds"),
    [({}, True), ({"bare": 16_001.0}, False), ({"aiosmtplib": 1001.0}, False), ({"composed_us": 40.1}, False),
     ({"copies": 1}, False)],
    ids=["kept", "behind a bare client", "not 4 x aiosmtplib", "composed too slowly", "a copy"],
)  # fmt: skip
def test_falling_short_fails(change: dict[str, Any], holds: bool) -> None:
    assert replace(RESULT, **change).holds is holds


@pytest.mark.parametrize("client", ["bare", "aiosmtplib"])
async def test_a_client_to_compare_with_sends_every_mail(client: str) -> None:
    async with Sink() as sink:
        assert await run(client, sink.port, 50, 1) > 0
        assert sink.count.summary()["mails"] == sink.count.summary()["distinct"] == 50


def test_the_same_seed_makes_the_same_mails() -> None:
    assert [one.id for one in dues("a", 1, 3)] == [one.id for one in dues("a", 1, 3)]
    assert len({mail.message for mail in mails(1, 5)}) == 5
