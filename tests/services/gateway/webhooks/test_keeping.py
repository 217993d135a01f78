"""How long deliveries are kept, and what is taken out of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from contracts import events as e
from contracts.erasure import Forget
from contracts.status import Channel
from kit.bus.publisher import Publisher
from kit.clock import utc_now
from kit.metrics import Metrics
from services.gateway.handlers.cleaning import Cleaning
from services.gateway.handlers.erasing import Erasing
from services.gateway.handlers.jobs import works
from services.gateway.outbox.announcer import Announcer
from services.gateway.settings import Pace
from tests.services.gateway.conftest import ADMIN, House
from tests.services.gateway.receiving import Receiver
from tests.services.gateway.support import as_owner, until
from tests.services.gateway.webhooks.support import (
    PACE,
    WHERE,
    deliveries,
    delivering,
    happen,
    later,
    register,
    shown,
    tried,
)
from tests.waiting import PATIENCE


async def test_a_person_who_is_forgotten_is_told_of_no_more(house: House, receiver: Receiver) -> None:
    """P8: what waits is not posted, of what was posted nothing is kept."""
    made = await register(house, receiver.url)
    body = {"channel": "email", "user_id": "bob", "subject": "s", "body": "b"}
    async with delivering(house):
        id = await house.post(body | {"metadata": {"name": "Bob"}})
        common = {"id": id, "owner": "user:alice", "channel": Channel.EMAIL, "accepted_at": utc_now(), "user_id": "bob"}
        await house.hears(e.Sent(**common, at=utc_now()))
        await tried(house, made, state="delivered")
    await house.hears(e.Delivered(**common, at=utc_now()))
    assert "Bob" in receiver.posts[0].body.decode()
    async with house.database.connection() as connection:
        await connection.execute("delete from outbox")
    who = Forget(tenant="default", user_id="bob", address_hashes=(), through=utc_now())
    announcer = Announcer(house.database, Publisher(house.settings.kafka, "gateway", deadline=PATIENCE), Pace())
    erasing = Erasing(house.database, announcer, house.settings.archive_dir)
    done = await erasing.forget(who.model_dump(mode="json"))
    assert done["webhooks"] == 2
    kept = "select count(*) from gateway.webhook_deliveries where body is not null or answer is not null"
    assert await as_owner(house.settings.database_url, kept) == 0
    assert [one["state"] for one in await deliveries(house, made)] == ["forgotten", "delivered"]
    await house.hears(e.Undelivered(**common, at=utc_now()))
    later_on = await as_owner(
        house.settings.database_url, "select body from gateway.webhook_deliveries where body is not null"
    )
    assert "Bob" not in later_on
    where = f"{WHERE}/{made['id']}/replay"
    answer = await house.http.post(where, json={"delivery_id": receiver.posts[0].id}, headers=ADMIN)
    assert answer.status_code == 404


async def test_deliveries_are_kept_for_thirty_days_and_their_bodies_for_seven(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    await happen(house, 3)
    async with delivering(house):

        async def all_done() -> bool:
            return len(await deliveries(house, made, state="delivered")) == 3

        await until(all_done)
    old, older, _ = [UUID(one["id"]) for one in await deliveries(house, made)]
    for id, days in ((old, 8), (older, 31)):
        aged = f"place_of(clock_timestamp() - interval '{days} days', id)"
        await as_owner(
            house.settings.database_url,
            f"update gateway.webhook_deliveries set place = gateway.{aged} where id = '{id}'",
        )
    done = await cleaned_up(house)
    assert done["webhook_deliveries"] == 1
    bodies = "select count(*) from gateway.webhook_deliveries where body is not null"
    assert len(await deliveries(house, made)) == 2 and await as_owner(house.settings.database_url, bodies) == 1


async def test_a_secret_is_kept_for_as_long_as_it_signs(house: House, receiver: Receiver) -> None:
    made = await register(house, receiver.url)
    await house.http.post(f"{WHERE}/{made['id']}/rotate", headers=ADMIN)
    old = "select count(*) from gateway.webhooks where old_secret is not null"
    for interval, kept in (("23 hours", 1), ("2 hours", 0)):
        await later(house, interval)
        await cleaned_up(house)
        assert await as_owner(house.settings.database_url, old) == kept
    assert "old_secret_until" not in await shown(house, made)


async def cleaned_up(house: House) -> Mapping[str, Any]:
    """What the job says."""
    publisher, nothing = Publisher(house.settings.kafka, "gateway", deadline=PATIENCE), cast(Any, None)
    announcer = Announcer(house.database, publisher, Pace())
    folder = house.settings.archive_dir
    cleaning = Cleaning(house.database, house.settings.cleanup, folder, Metrics())
    erasing = Erasing(house.database, announcer, folder)
    return await works(house.database, nothing, erasing, cleaning, PACE, Metrics())["cleanup"]({})
