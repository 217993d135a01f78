"""Registers webhooks, lets things happen, and looks what became of their deliveries."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

from standardwebhooks import Webhook

from contracts import events as e
from contracts.status import Channel
from kit.clock import utc_now
from services.gateway.handlers.alerts import Telling
from services.gateway.rules.reaching import Network
from services.gateway.settings import WebhookPace
from services.gateway.webhooks.delivering import Delivering
from services.gateway.webhooks.network import Resolve, resolve
from services.gateway.webhooks.notice import Notice
from services.gateway.webhooks.posting import Poster
from tests.services.gateway.conftest import ADMIN, House
from tests.services.gateway.receiving import Post
from tests.services.gateway.support import as_owner, until

WHERE = "/v1/admin/webhooks"
HERE: tuple[Network, ...] = (ip_network("127.0.0.0/8"),)
PACE = WebhookPace(look_every=0.02)
LENIENT = {"allow_http": True, "private_networks": ["127.0.0.0/8"]}
SERVED: dict[str, Any] = {"provider": "smtp"}


def delivering_of(
    house: House,
    *,
    permitted: Sequence[Network] = HERE,
    resolve: Resolve = resolve,
    pace: WebhookPace = PACE,
    trust: ssl.SSLContext | None = None,
) -> Delivering:
    poster = Poster(True, permitted, pace.patience, resolve=resolve, trust=trust)
    telling = Telling(house.settings, house.database, house.desk.writer, house.desk.limits.alerts_per_hour)
    notice = Notice(telling.tell, house.settings.notifications.alerts.recipients)
    return Delivering(house.database, poster, notice, pace, house.desk.metrics)


@asynccontextmanager
async def delivering(house: House, **more: Any) -> AsyncIterator[Delivering]:
    part = delivering_of(house, **more)
    await part.start()
    try:
        yield part
    finally:
        await part.stop()


async def register(house: House, url: str, who: dict[str, str] = ADMIN, **more: Any) -> dict[str, Any]:
    answer = await house.http.post(WHERE, json={"url": url, **more}, headers=who)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def happen(house: House, n: int = 1, event: type[e.Taken] = e.Sent) -> list[str]:
    """So many notifications are sent; their ids."""
    ids = [await house.post() for _ in range(n)]
    for id in ids:
        common = {"id": id, "owner": "user:alice", "channel": Channel.EMAIL, "accepted_at": utc_now()}
        await house.hears(event(**common, at=utc_now(), **SERVED))
    return ids


async def deliveries(house: House, made: dict[str, Any], **query: str) -> list[dict[str, Any]]:
    answer = await house.http.get(f"{WHERE}/{made['id']}/deliveries", params=query, headers=ADMIN)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def tried(house: House, made: dict[str, Any], attempts: int = 1, **fields: Any) -> dict[str, Any]:
    """The only delivery, once so many attempts are over and it says this."""

    async def look() -> dict[str, Any] | None:
        [one] = await deliveries(house, made)
        done = one["attempts"] == attempts and "tried_at" in one and await over(house, one["id"])
        return one if done and all(one.get(name) == value for name, value in fields.items()) else None

    return await until(look)


async def over(house: House, id: str) -> bool:
    sql = f"select leased_until is null from gateway.webhook_deliveries where id = '{id}'"
    return bool(await as_owner(house.settings.database_url, sql))


async def shown(house: House, made: dict[str, Any]) -> dict[str, Any]:
    answer = await house.http.get(f"{WHERE}/{made['id']}", headers=ADMIN)
    found: dict[str, Any] = answer.json()
    return found


async def later(house: House, interval: str) -> None:
    await as_owner(house.settings.database_url, f"update tocsin.clock_offset set by = by + interval '{interval}'")


def verified(post: Post, secret: str) -> Any:
    """As a receiver does it."""
    return Webhook(secret).verify(post.body.decode(), dict(post.headers))


async def told_of_it(house: House) -> list[str]:
    rows = await house.http.get("/v1/notifications", params={"user_id": "olga"}, headers=ADMIN)
    return [item["subject"] for item in rows.json()["items"]]
