"""What REST accepts: one group of requests becomes rows of the read model and of the outbox in one transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.status import Status
from kit.postgres import Connection
from services.gateway.rules.asked import Accepted, Asked, Conflict
from services.gateway.store.arrays import columns, given
from services.gateway.store.projecting import add_finds

FIRST_LOOK = 6.0
"""Seconds after which a sweep takes over what was accepted: longer than the first publishing can take."""


async def accept(connection: Connection, asked: Sequence[Asked]) -> dict[UUID, Accepted | Conflict]:
    """Accept what is new, recognise what is repeated; no id twice in `asked`. Call it inside a transaction."""
    made = await _make_rows(connection, asked)
    new = [one for one in asked if one.id in made]
    if new:
        await _keep(connection, new, made)
    accepted: dict[UUID, Accepted | Conflict] = {
        one.id: Accepted(one.id, made[one.id][1], Status.ACCEPTED.rank, first=True) for one in new
    }
    repeated = [one for one in asked if one.id not in made]
    return accepted | await _compare(connection, repeated) if repeated else accepted


async def _make_rows(connection: Connection, asked: Iterable[Asked]) -> dict[UUID, tuple[UUID, datetime]]:
    """The (place, accepted_at) of the rows that are ours: new ones, and those that another event has made before us."""
    rows = sorted((row for one in asked for row in _rows(one)), key=lambda row: row[0])
    made = await connection.fetch(_MAKE_ROWS, *columns(rows, 14))
    return {row["id"]: (row["place"], row["accepted_at"]) for row in made}


def _rows(one: Asked) -> list[tuple[Any, ...]]:
    """The row of a request, and of each channel where there are several."""
    request = one.request
    common = (one.tenant, one.owner, request.lane, request.user_id, request.group)
    plan = (request.planned_at, request.expiry, one.view)
    channels = ",".join(request.channels) if request.channels else None
    row = (one.id, *common, *plan, one.files, request.channel, one.fingerprint, None, channels)
    return [row, *((child, *common, *plan, None, channel, None, one.id, None) for child, channel in one.children)]


# Another event may have made the row already (a cancel that named an id before it was used): then it is ours as long
# as REST has not accepted a body for it.
_ROWS = given(
    id="uuid",
    tenant="text",
    owner="text",
    lane="text",
    user_id="text",
    group_name="text",
    planned_at="timestamptz",
    expires_at="timestamptz",
    request="text",
    files="text",
    channel="text",
    fingerprint="text",
    parent="uuid",
    channels="text",
)

_MAKE_ROWS = f"""
insert into notifications as n (
    id, place, tenant, owner, lane, user_id, group_name, accepted_at, rank, planned_at, expires_at, request, files,
    channel, fingerprint, parent, channels, posted
)
select id, place_of(statement_timestamp(), id), tenant, owner, lane, user_id, group_name, statement_timestamp(), 0,
       planned_at, expires_at, request, files, channel, fingerprint, parent, string_to_array(channels, ','),
       parent is null
from {_ROWS} g
on conflict (id) do update set
    posted = n.posted or excluded.posted,
    tenant = case when n.owner = '' then excluded.tenant else n.tenant end,
    owner = coalesce(nullif(n.owner, ''), excluded.owner),
    lane = case when n.owner = '' then excluded.lane else n.lane end,
    user_id = coalesce(n.user_id, excluded.user_id),
    group_name = coalesce(n.group_name, excluded.group_name),
    fingerprint = excluded.fingerprint,
    request = coalesce(n.request, excluded.request),
    files = coalesce(n.files, excluded.files),
    channel = coalesce(n.channel, excluded.channel),
    parent = coalesce(n.parent, excluded.parent),
    channels = coalesce(n.channels, excluded.channels)
where n.fingerprint is null
returning id, place, accepted_at
"""


async def _keep(connection: Connection, new: Sequence[Asked], made: dict[UUID, tuple[UUID, datetime]]) -> None:
    rows = [(one.id, one.tenant, one.owner, one.topic, made[one.id][1]) for one in new]
    await connection.execute(_KEEP, *columns(rows, 5), FIRST_LOOK)
    finds = [(one.tenant, key, value, made[one.id][0]) for one in new for key, value in one.finds]
    finds += [
        (one.tenant, key, value, made[child][0])
        for one in new
        for child, _ in one.children
        for key, value in one.finds
        if child in made
    ]
    if finds:
        await add_finds(connection, finds)


_KEEP = f"""
insert into outbox (id, command, kind, tenant, owner, topic, accepted_at, next_at)
select id, id, 'request', tenant, owner, topic, accepted_at, clock_timestamp() + make_interval(secs => $6)
from {given(id="uuid", tenant="text", owner="text", topic="text", accepted_at="timestamptz")} g
on conflict do nothing
"""


async def _compare(connection: Connection, repeated: Sequence[Asked]) -> dict[UUID, Accepted | Conflict]:
    """A repeat is what it was; with another body it is a conflict. Looked up after the insert, so that it sees the
    row of another gateway that was quicker by a moment."""
    rows = await connection.fetch(
        "select id, fingerprint, accepted_at, rank from notifications where id = any($1::uuid[])",
        [one.id for one in repeated],
    )
    there = {row["id"]: row for row in rows}
    return {one.id: _compared(one, there[one.id]) for one in repeated}


def _compared(one: Asked, row: Any) -> Accepted | Conflict:
    if row["fingerprint"] != one.fingerprint:
        return Conflict(one.id)
    return Accepted(one.id, row["accepted_at"], row["rank"], first=False)
