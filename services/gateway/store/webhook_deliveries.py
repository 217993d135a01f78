"""Deliveries of webhooks: what is still to be posted, what came of it, and what is posted again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kit.postgres import Connection
from kit.postgres.columns import Columns
from services.gateway.rules.webhooks import Answer, Told, Why

AT_ONCE: Final = 5000
"""Rows of one statement, where there may be millions."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that is ours for the time of its lease; `attempts` is the token under which its end is recorded."""

    id: UUID
    webhook_id: UUID
    body: str
    attempts: int
    tries: int
    since: datetime
    url: str
    secrets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as people see it: what came of its newest attempt."""

    id: UUID
    place: UUID
    event: str
    notification_id: UUID | None
    state: str
    attempts: int
    next_at: datetime | None
    tried_at: datetime | None
    status: int | None
    error: str | None
    duration_ms: int | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class Disabled:
    """A webhook to which nothing is posted any more."""

    id: UUID
    tenant: str
    url: str
    at: datetime
    since: datetime | None


async def add(connection: Connection, deliveries: Collection[Told]) -> None:
    """To be posted as soon as can be; what is there already stays as it is."""
    table, values = _ADDED.of((one.id, one.webhook_id, one.notification_id, one.event, one.body) for one in deliveries)
    await connection.execute(_ADD.format(table), *values)


_ADDED: Final = Columns(id="uuid", webhook_id="uuid", notification_id="uuid", event="text", body="text")
_ADD: Final = """
insert into webhook_deliveries (id, place, webhook_id, notification_id, event, body)
select id, place_of(clock_timestamp(), id), webhook_id, notification_id, event, body from {} g
on conflict (id) do nothing
"""


async def take(connection: Connection, busy: Mapping[UUID, int], each: int, most: int, lease: float) -> list[Taken]:
    """What is due and nobody has, at most `most`, and of one webhook no more than `each` together with those that are
    `busy` here; nobody else takes it for `lease` seconds."""
    rows = await connection.fetch(_TAKE, list(busy), list(busy.values()), each, most, lease)
    return [
        Taken(id, webhook, body, attempts, tries, since, url, tuple(secret for secret in (new, old) if secret))
        for id, webhook, body, attempts, tries, since, url, new, old in rows
    ]


_TAKE: Final = """
with due as (
    select d.id from webhooks w
    left join unnest($1::uuid[], $2::bigint[]) as busy (webhook_id, n) on busy.webhook_id = w.id
    cross join lateral (
        select d.id from webhook_deliveries d
        where d.webhook_id = w.id and d.next_at <= tocsin.clock()
          and (d.leased_until is null or d.leased_until <= clock_timestamp())
        order by d.next_at
        limit greatest($3::bigint - coalesce(busy.n, 0), 0)
        for update skip locked
    ) d
    where w.enabled
    limit $4
)
update webhook_deliveries d
set leased_until = clock_timestamp() + $5 * interval '1 second', attempts = attempts + 1, tries = tries + 1
from due, webhooks w
where d.id = due.id and w.id = d.webhook_id
returning d.id, d.webhook_id, d.body, d.attempts, d.tries, d.since, w.url, w.secret,
    case when w.old_secret_until > tocsin.clock() then w.old_secret end
"""


async def arrived(connection: Connection, one: Taken, answer: Answer) -> bool:
    """It is delivered, and its receiver is well; False when another attempt was begun meanwhile."""
    if not await _end(connection, one, answer, "delivered", None):
        return False
    await connection.execute(
        "update webhooks set failing_since = null where id = $1 and failing_since is not null", one.webhook_id
    )
    return True


async def failed(connection: Connection, one: Taken, answer: Answer, again: datetime | None) -> bool:
    """It is tried again then, or (None) no more; False when another attempt was begun meanwhile."""
    if not await _end(connection, one, answer, "pending" if again else "failed", again):
        return False
    await connection.execute(
        "update webhooks set failing_since = tocsin.clock() where id = $1 and failing_since is null", one.webhook_id
    )
    return True


async def _end(connection: Connection, one: Taken, answer: Answer, state: str, next_at: datetime | None) -> bool:
    said = (answer.status, answer.error, answer.duration_ms, answer.text)
    return bool(await connection.fetchval(_END, one.id, one.attempts, state, next_at, *said))


_END: Final = """
update webhook_deliveries set state = $3, next_at = $4, leased_until = null, tried_at = clock_timestamp(), status = $5,
    error = $6, duration_ms = $7, answer = $8
where id = $1 and attempts = $2 and state <> 'forgotten' and ($3 <> 'pending' or state = 'pending')
returning true
"""


async def disable(connection: Connection, webhook: UUID, why: Why, days: int) -> Disabled | None:
    """Nothing is posted to it any more, if it is `gone`, or has failed for so many days; None when that is not so.
    What it has not got is failed then, and can be replayed."""
    row = await connection.fetchrow(_DISABLE, webhook, why, days)
    if row is None:
        return None
    await give_up(connection)
    return Disabled(*row.values())


_DISABLE: Final = """
update webhooks set enabled = false, disabled_at = tocsin.clock(), disabled_why = $2, version = version + 1
where id = $1 and enabled and ($2 = 'gone' or failing_since <= tocsin.clock() - $3 * interval '1 day')
returning id, tenant, url, disabled_at, failing_since
"""


async def give_up(connection: Connection) -> int:
    """What waits for webhooks that are disabled waits no more, a handful at a time; how many."""
    return int((await connection.execute(_GIVE_UP, AT_ONCE)).rpartition(" ")[2])


_GIVE_UP: Final = """
update webhook_deliveries set state = 'failed', next_at = null, error = coalesce(error, 'disabled')
where id in (
    select d.id from webhooks w cross join lateral (
        select d.id from webhook_deliveries d where d.webhook_id = w.id and d.next_at is not null
        limit $1 for update skip locked
    ) d
    where not w.enabled limit $1
) and next_at is not null
"""


async def page(
    connection: Connection, webhook: UUID, state: str | None, after: UUID | None, limit: int
) -> list[Delivery]:
    """The deliveries of a webhook, the newest first."""
    return [Delivery(*row.values()) for row in await connection.fetch(_PAGE, webhook, state, after, limit)]


_SHOWN: Final = """
select id, place, event, notification_id, state, attempts, next_at, tried_at, status, error, duration_ms, answer
from webhook_deliveries
"""
_PAGE: Final = f"""{_SHOWN}
where webhook_id = $1 and ($2::text is null or state = $2) and ($3::uuid is null or place < $3)
order by place desc limit $4
"""


async def one(connection: Connection, webhook: UUID, id: UUID) -> Delivery | None:
    """A delivery of this webhook."""
    row = await connection.fetchrow(f"{_SHOWN} where webhook_id = $1 and id = $2", webhook, id)
    return Delivery(*row.values()) if row else None


async def replay(connection: Connection, webhook: UUID, id: UUID) -> bool:
    """It is posted again, now, be it delivered or not; False when there is no such one, or nothing is left to post."""
    return bool(await connection.fetch(f"{_REPLAY} and d.id = $2 returning true", webhook, id))


async def replay_failed(connection: Connection, webhook: UUID, since: datetime, begun: datetime) -> int:
    """Those that were made since then, have failed, and were not begun anew after `begun`, are posted again, a handful
    at a time; how many."""
    return int((await connection.execute(_REPLAY_FAILED, webhook, since, begun, AT_ONCE)).rpartition(" ")[2])


_REPLAY: Final = """
update webhook_deliveries d set state = 'pending', next_at = tocsin.clock(), since = tocsin.clock(), tries = 0
where d.webhook_id = $1 and d.body is not null
"""
_REPLAY_FAILED: Final = f"""{_REPLAY} and d.id in (
    select id from webhook_deliveries
    where webhook_id = $1 and body is not null and state = 'failed' and since <= $3
        and place >= place_of($2, '{UUID(int=0)}')
    limit $4
)
"""


async def drop(connection: Connection, webhook: UUID) -> int:
    """Deliveries of a webhook that goes are gone, a handful at a time; how many."""
    return int((await connection.execute(_DROP, webhook, AT_ONCE)).rpartition(" ")[2])


_DROP: Final = """
delete from webhook_deliveries where id in (select id from webhook_deliveries where webhook_id = $1 limit $2)
"""


async def pending(connection: Connection) -> int:
    """How many wait to be posted, counted up to 100,000."""
    return int(await connection.fetchval(_PENDING))


_PENDING: Final = """
select count(*) from (select from webhook_deliveries where next_at is not null limit 100000) waiting
"""


async def forget(connection: Connection, places: Sequence[UUID]) -> int:
    """Nothing is left of what was told of the notifications at these places, or was to be; how many."""
    return int((await connection.execute(_FORGET, places)).rpartition(" ")[2])


_FORGET: Final = """
update webhook_deliveries d set body = null, answer = null, next_at = null,
    state = case when d.state = 'pending' then 'forgotten' else d.state end
from notifications n
where n.place = any($1::uuid[]) and d.notification_id = n.id and d.body is not null
"""


async def blank_old(connection: Connection, days: int, limit: int) -> int:
    """Takes away the bodies of what was delivered and is so old; how many, at most `limit`."""
    return int((await connection.execute(_BLANK_OLD, days, limit)).rpartition(" ")[2])


async def delete_old(connection: Connection, days: int, limit: int) -> int:
    """Takes away what has ended and is so old; how many, at most `limit`."""
    return int((await connection.execute(_DELETE_OLD, days, limit)).rpartition(" ")[2])


_OLDER: Final = f"next_at is null and place < place_of(clock_timestamp() - $1 * interval '1 day', '{UUID(int=0)}')"
_BLANK_OLD: Final = f"""
update webhook_deliveries set body = null where id in (
    select id from webhook_deliveries where {_OLDER} and state = 'delivered' and body is not null limit $2)
"""
_DELETE_OLD: Final = f"""
delete from webhook_deliveries where id in (select id from webhook_deliveries where {_OLDER} limit $2)
"""


async def requests(connection: Connection, ids: Collection[UUID]) -> dict[UUID, str]:
    """What was asked for, of those of these notifications of which that is known."""
    rows = await connection.fetch(
        "select id, request from notifications where id = any($1::uuid[]) and request is not null", ids
    )
    return {row["id"]: row["request"] for row in rows}
