"""What REST accepts: one group of requests becomes rows of the read model and of the outbox in one transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.status import Status
from kit.postgres import Connection
from kit.postgres.columns import Columns
from services.gateway.rules.asked import Acceptance, Asked, Conflict

FIRST_LOOK = 6.0
"""Seconds after which a sweep takes over what was accepted: longer than the first publishing can take."""


async def accept(connection: Connection, asked: Sequence[Asked]) -> dict[UUID, Acceptance | Conflict]:
    """Accept what is new, recognise what is repeated; no id twice in `asked`. All of it or nothing: one statement."""
    made = await _make(connection, asked)
    accepted: dict[UUID, Acceptance | Conflict] = {
        one.id: Acceptance(one.id, made[one.id], Status.ACCEPTED.rank, first=True) for one in asked if one.id in made
    }
    repeated = [one for one in asked if one.id not in made]
    return accepted | await _compare(connection, repeated) if repeated else accepted


async def _make(connection: Connection, asked: Iterable[Asked]) -> dict[UUID, datetime]:
    """The rows that are ours, with their times: new ones, and those that another event has made before us."""
    rows = sorted((row for one in asked for row in _rows(one)), key=lambda row: row[0].int)
    table, values = _ROWS.of(rows)
    finds = [(id, *find) for one in asked for id in one.ids for find in one.finds]
    found, words = _FINDS.of(finds, after=len(values)) if finds else (_NO_FINDS, [])
    parameters = [*values, *words, FIRST_LOOK]
    statement = _MAKE.format(rows=table, finds=found, first_look=f"${len(parameters)}")
    return {row["id"]: row["accepted_at"] for row in await connection.fetch(statement, *parameters)}


def _rows(one: Asked) -> list[tuple[Any, ...]]:
    """The row of a request, and of each channel where there are several."""
    request = one.request
    common = (one.tenant, one.owner, request.lane, request.user_id, request.group)
    plan = (request.planned_at, request.expiry, one.view)
    channels = ",".join(request.channels) if request.channels else None
    row = (
        one.id,
        *common,
        *plan,
        one.files,
        request.channel,
        one.fingerprint,
        None,
        channels,
        one.topic,
        one.replay_of,
        one.trace,
    )
    return [
        row,
        *(
            (child, *common, *plan, None, channel, None, one.id, None, one.topic, None, one.trace)
            for child, channel in one.children
        ),
    ]


_ROWS = Columns(
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
    topic="text",
    replay_of="uuid",
    trace="text",
)

_FINDS = Columns(id="uuid", key="text", value="text")
_NO_FINDS = "(select null::uuid as id, null::text as key, null::text as value where false)"

# Another event may have made the row already (a cancel that named an id before it was used): then it is ours as long
# as REST has not accepted a body for it.
_MAKE = """
with g as (
    select * from {rows} g
), made as (
    insert into notifications as n (
        id, place, tenant, owner, lane, user_id, group_name, accepted_at, rank, planned_at, expires_at, request, files,
        channel, fingerprint, parent, channels, posted, replay_of, trace
    )
    select id, place_of(statement_timestamp(), id), tenant, owner, lane, user_id, group_name, statement_timestamp(), 0,
           planned_at, expires_at, request, files, channel, fingerprint, parent, string_to_array(channels, ','),
           parent is null, replay_of, trace
    from g
    where (select c.id from cleaned c where c.id = g.id) is null
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
        planned_at = coalesce(n.planned_at, excluded.planned_at),
        expires_at = coalesce(n.expires_at, excluded.expires_at),
        parent = coalesce(n.parent, excluded.parent),
        channels = coalesce(n.channels, excluded.channels),
        replay_of = coalesce(n.replay_of, excluded.replay_of),
        trace = coalesce(n.trace, excluded.trace)
    where n.fingerprint is null
    returning id, place, tenant, accepted_at
), kept as (
    insert into outbox (id, command, kind, tenant, owner, topic, accepted_at, next_at)
    select id, id, 'request', g.tenant, g.owner, g.topic, made.accepted_at,
           clock_timestamp() + make_interval(secs => {first_look})
    from made join g using (id) where g.parent is null
    on conflict do nothing
    returning accepted_at
), counted as (
    insert into asked_hours as a (hour, slot, asked)
    select date_bin('1 hour', accepted_at, 'epoch'), pg_backend_pid() % 16, count(*) from kept group by 1
    on conflict (hour, slot) do update set asked = a.asked + excluded.asked
), found as (
    insert into finds (tenant, key, value, place)
    select made.tenant, f.key, f.value, made.place from made join {finds} f using (id)
    on conflict do nothing
)
select id, accepted_at from made
"""


async def _compare(connection: Connection, repeated: Sequence[Asked]) -> dict[UUID, Acceptance | Conflict]:
    """A repeat is what it was, also when that was cleaned up; with another body it is a conflict. Looked up after the
    insert, so that it sees the row of another gateway that was quicker by a moment."""
    rows = await connection.fetch(_THERE, [one.id for one in repeated])
    there = {row["id"]: row for row in rows}
    return {one.id: _compared(one, there[one.id]) for one in repeated}


_THERE = """
select id, fingerprint, accepted_at, rank from cleaned where id = any($1::uuid[])
union all
select id, fingerprint, accepted_at, rank from notifications where id = any($1::uuid[])
"""


def _compared(one: Asked, row: Any) -> Acceptance | Conflict:
    there = Acceptance(one.id, row["accepted_at"], row["rank"], first=False)
    # None: it had come by Kafka, and was cleaned up; intake knows whether it was the same.
    if row["fingerprint"] not in (None, one.fingerprint):
        return Conflict(one.id, row["fingerprint"], there)
    return there
