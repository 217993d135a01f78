"""What Kafka has heard of hand-overs since a backup makes the claims that were lost with the database (P9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from contracts import events as e
from contracts.status import Channel
from kit.delivery.restoring import Heard, rebuild
from kit.delivery.rules import Result
from kit.delivery.store import claims
from kit.delivery.store.claims import BY_INDEX
from kit.postgres import Database

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
ID = UUID(int=1)
COMMON: dict[str, Any] = {"id": ID, "owner": "user:alice", "channel": Channel.EMAIL, "accepted_at": NOON}


def due(try_: int = 1, **more: Any) -> e.Due:
    return e.Due(**COMMON, round=1, try_=try_, at=NOON, expires_at=NOON + timedelta(hours=1), **more)


def retry(try_: int = 1, **more: Any) -> e.Retry:
    """What is said after the try before this one, or, with `hold`, instead of it."""
    return e.Retry(**COMMON, at=NOON, due=due(try_), **({"reason": "refused", "attempt": 1, "provider": "smtp"} | more))


SENT = e.Sent(**COMMON, at=NOON, provider="smtp", provider_id="<1@x>")
DELIVERED = e.Delivered(**COMMON, at=NOON, provider="smtp")
FAILED = e.Failed(**COMMON, outcome="failed", reason="refused", try_=1, attempt=1)
BY_INTAKE = e.Failed(**COMMON, outcome="cancelled", reason="cancelled")


@pytest.mark.parametrize(
    ("said", "results", "unknown"),
    [
        ([due()], {}, [1]),
        ([due(), SENT], {1: Result.SENT}, []),
        ([SENT, due()], {1: Result.SENT}, []),
        ([due(), FAILED], {1: Result.FAILED}, []),
        ([due(), SENT, DELIVERED], {1: Result.DELIVERED}, []),
        ([DELIVERED, SENT], {1: Result.DELIVERED}, []),
        ([due(), retry(2)], {1: Result.RETRY}, []),
        ([due(), retry(2), due(2)], {1: Result.RETRY}, [2]),
        ([due(), retry(2, reason="unknown_outcome", unknown=1), due(2)], {1: Result.UNKNOWN}, [2]),
        ([due(), retry(1, hold=True)], {}, []),
        ([due(), retry(1, hold=True), due()], {}, [1]),
        ([due(), due(), retry(1, hold=True, reason="in_flight")], {}, [1]),
        ([due(end="cancelled")], {}, []),
        ([due(), BY_INTAKE], {}, [1]),
    ],
)
def test_p9_what_was_heard_says_what_became_of_each_try(
    said: list[e.Event], results: dict[int, Result], unknown: list[int]
) -> None:
    heard = Heard()
    for seconds, event in enumerate(said):
        heard.hear(event, NOON + timedelta(seconds=seconds))
    assert {try_: one.conclusion.result for (_, try_), one in heard.results.items()} == results
    assert [try_ for _, try_ in heard.unknown()] == unknown


@pytest.fixture
async def db(database: str) -> AsyncIterator[Database]:
    db = await Database.open(database, "email_sender", settings=BY_INDEX)
    yield db
    await db.close()


async def test_p9_claims_are_as_their_sender_left_them(db: Database) -> None:
    """A result with all that its repeat says; what nobody heard of any more is over without one. Twice is once."""
    lost, heard = uuid4(), Heard()
    heard.hear(SENT, NOON)
    heard.hear(due().model_copy(update={"id": lost}), NOON)
    assert await rebuild(db, heard) == (1, 1)
    assert await rebuild(db, heard) == (0, 0)
    async with db.connection() as connection:
        seen = (await claims.look(connection, [ID, lost])).claims
    [claim], [open_] = seen[ID], seen[lost]
    assert claim.conclusion and (claim.conclusion.result, claim.conclusion.provider_id) == (Result.SENT, "<1@x>")
    assert (claim.provider, claim.hand_overs) == ("smtp", 1)
    assert open_.conclusion is None and not open_.live


async def test_p9_what_the_backup_knows_better_stays(db: Database) -> None:
    """A retry of the backup gives way to the sending that was said after it; a sending never to anything."""
    heard = Heard()
    heard.hear(retry(2), NOON)
    await rebuild(db, heard)
    later = Heard()
    later.hear(SENT, NOON)
    assert await rebuild(db, later) == (1, 0)
    assert await rebuild(db, heard) == (0, 0)
    async with db.connection() as connection:
        [claim] = (await claims.look(connection, [ID])).claims[ID]
    assert claim.conclusion and claim.conclusion.result is Result.SENT
