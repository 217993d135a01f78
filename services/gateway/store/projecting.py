"""What the projector writes: a handful of statements for a whole batch of events."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from contracts import events as e
from kit.postgres import Connection
from kit.postgres.columns import Columns
from services.gateway.rules.consequences import CountKey, Known, Move, Row
from services.gateway.rules.projection import CANCELLED, Change, Order
from services.gateway.rules.timeline import Entry
from services.gateway.store.arrays import columns, given


async def upsert(connection: Connection, changes: Collection[Change]) -> list[Row]:
    """Make the rows that are new, raise those that are there; sorted by id, so that two projectors never deadlock."""
    table, values = _CHANGES.of(map(_fields, sorted(changes, key=lambda change: change.id.int)))
    return [Row._make(record) for record in await connection.fetch(_UPSERT.format(rows=table), *values)]


_fields = attrgetter(
    "id",
    "event.tenant",
    "event.owner",
    "channel",
    "event.lane",
    "event.user_id",
    "event.group",
    "event.accepted_at",
    "rank",
    "reason",
    "detail",
    "provider",
    "unknown",
    "attempts",
    "round",
    "planned_at",
    "expires_at",
    "sent_at",
    "edit",
    "sms",
    "parent",
    "several",
    "replay_of",
    "request",
    "event.trace",
)


def _counted(owner: str, channel: str, rank: str, channels: str) -> str:
    """What `counted_as` of the schema answers, which PostgreSQL would call for every row instead of reading it."""
    label = f"case {owner} when '' then '?' else '' end || coalesce({channel}, '') || ':' || {rank}::text"
    return f"case when {channels} is null then {label} end"


# `counted` moves with channel and rank; a parent is not counted. What is told first is kept, but for plans (by round),
# what comes with a higher rank, and what a cancel that came before its request could not know.
_CHANGES = Columns(
    id="uuid",
    tenant="text",
    owner="text",
    channel="text",
    lane="text",
    user_id="text",
    group_name="text",
    accepted_at="timestamptz",
    rank="smallint",
    reason="text",
    detail="text",
    provider="text",
    unknown="smallint",
    attempts="smallint",
    round="integer",
    planned_at="timestamptz",
    expires_at="timestamptz",
    sent_at="timestamptz",
    edit="bigint",
    sms="text",
    parent="uuid",
    channels="text",
    replay_of="uuid",
    request="text",
    trace="text",
)

_COUNTED_FIRST = _counted("owner", "channel", "rank", "channels")
_COUNTED_HERE = _counted("n.owner", "n.channel", "n.rank", "n.channels")
_COUNTED_NOW = _counted(
    "coalesce(nullif(n.owner, ''), excluded.owner)",
    "coalesce(n.channel, excluded.channel)",
    "greatest(n.rank, excluded.rank)",
    "coalesce(n.channels, excluded.channels)",
)

_UPSERT = f"""
insert into notifications as n (
    id, place, tenant, owner, channel, lane, user_id, group_name, accepted_at, rank, counted, reason, detail, provider,
    unknown, attempts, round, planned_at, expires_at, sent_at, edit, sms, parent, channels, replay_of,
    request, trace
)
select id, place_of(accepted_at, id), tenant, owner, channel, lane, user_id, group_name, accepted_at, rank,
       {_COUNTED_FIRST}, reason, detail, provider, unknown, attempts, round, planned_at, expires_at, sent_at, edit, sms,
       parent, string_to_array(channels, ','), replay_of, request, trace
from {{rows}} g
on conflict (id) do update set
    was = n.counted,
    counted = {_COUNTED_NOW},
    rank = greatest(n.rank, excluded.rank),
    tenant = case when n.owner = '' then excluded.tenant else n.tenant end,
    owner = coalesce(nullif(n.owner, ''), excluded.owner),
    lane = case when n.owner = '' then excluded.lane else n.lane end,
    user_id = coalesce(n.user_id, excluded.user_id),
    group_name = coalesce(n.group_name, excluded.group_name),
    channel = coalesce(n.channel, excluded.channel),
    reason = case when excluded.rank > n.rank then excluded.reason else n.reason end,
    detail = case when excluded.rank > n.rank then excluded.detail else n.detail end,
    provider = coalesce(excluded.provider, n.provider),
    unknown = greatest(n.unknown, excluded.unknown),
    attempts = greatest(n.attempts, excluded.attempts),
    round = greatest(n.round, excluded.round),
    planned_at = case when excluded.round > n.round then excluded.planned_at
        else coalesce(n.planned_at, excluded.planned_at) end,
    expires_at = case when excluded.round > n.round then excluded.expires_at
        else coalesce(n.expires_at, excluded.expires_at) end,
    sent_at = least(n.sent_at, excluded.sent_at),
    edit = greatest(n.edit, excluded.edit),
    sms = coalesce(excluded.sms, n.sms),
    parent = coalesce(n.parent, excluded.parent),
    channels = coalesce(n.channels, excluded.channels),
    replay_of = coalesce(n.replay_of, excluded.replay_of),
    request = coalesce(n.request, excluded.request),
    trace = coalesce(n.trace, excluded.trace)
returning id, place, date_bin('1 hour', accepted_at, 'epoch'), tenant, owner, was, counted, rank, posted, parent, edit,
    sent_at, fingerprint is not null,
    coalesce(n.tenant = any((select array_agg(tenant) from webhooks where enabled)::text[]), false),
    n.was is null and n.fingerprint is null and (select c.id from cleaned c where c.id = n.id) is not null
"""


async def accepted_here(connection: Connection, ids: Collection[UUID]) -> set[UUID]:
    """Those whose rows say all that was asked for: REST has written them. A parent's is none of them: its children are
    rows of their own."""
    rows = await connection.fetch(_ACCEPTED_HERE, list(ids))
    return {row["id"] for row in rows}


# One look by the key for each: with a plan of its youth, a grown table would be read as a whole for every batch.
_ACCEPTED_HERE = """
select n.id from unnest($1::uuid[]) as g(id) cross join lateral (
    select id from notifications n where n.id = g.id and fingerprint is not null and channels is null limit 1
) n
"""


async def label(connection: Connection, ids: Collection[UUID]) -> list[Move]:
    """Count these rows, which are there, as what they are by now. What somebody else is just changing is passed over:
    the event that does so counts it, and two projectors never wait for each other in two orders."""
    rows = await connection.fetch(_LABEL, list(ids))
    return [(r[0], r[1], r[2], r[3], r[4]) for r in rows]


# An upsert that always meets its row has no plan to get wrong, as above.
_LABEL = f"""
insert into notifications as n (id, place, tenant, owner, lane, accepted_at, rank)
select free.* from unnest($1::uuid[]) as g(id) cross join lateral (
    select id, place, tenant, owner, lane, accepted_at, rank from notifications n
    where n.id = g.id and counted is distinct from {_COUNTED_HERE} limit 1 for no key update skip locked
) free
on conflict (id) do update set was = n.counted, counted = {_COUNTED_HERE}
returning date_bin('1 hour', accepted_at, 'epoch'), tenant, owner, was, counted
"""


async def take_back(connection: Connection, ids: Collection[UUID]) -> dict[UUID, UUID | None]:
    """Rows that were made just now of what was cleaned up before; the parents that these had."""
    await connection.execute("delete from notifications where id = any($1::uuid[])", ids)
    rows = await connection.fetch("select id, parent from cleaned where id = any($1::uuid[])", ids)
    return {row["id"]: row["parent"] for row in rows}


async def add_lines(connection: Connection, lines: Iterable[tuple[UUID, Entry]]) -> None:
    """Lines of timelines, by the notification's place; those that stand there already are left as they are."""
    rows = [(place, *entry) for place, entry in lines]
    if rows:
        table, values = _LINES.of(rows)
        await connection.execute(_ADD_LINES.format(table), *values)


_LINES = Columns(
    place="uuid",
    event="text",
    n="text",
    at="timestamptz",
    try_="smallint",
    attempt="smallint",
    provider="text",
    detail="text",
    provider_id="text",
)

_ADD_LINES = """
insert into timeline (place, event, n, at, try, attempt, provider, detail, provider_id)
select place, event, n, at, try_, attempt, provider, detail, provider_id from {} g
on conflict do nothing
"""


async def add_finds(connection: Connection, rows: Iterable[tuple[str, str, str, UUID]]) -> None:
    """(tenant, key, value, place): the words under which notifications are found."""
    table, values = _FINDS.of(sorted((value, place, tenant, key) for tenant, key, value, place in rows))
    await connection.execute(
        f"insert into finds (value, place, tenant, key) select * from {table} g on conflict do nothing", *values
    )


_FINDS = Columns(value="text", place="uuid", tenant="text", key="text")


async def note_commands(connection: Connection, orders: Iterable[Order]) -> None:
    """Remember cancels and moves; the notification may come later. A parent's are those of its children, too."""
    rows = sorted((x.id, x.command, x.kind, x.edit, x.at) for x in orders)
    await connection.execute(_NOTE_COMMANDS, *columns(rows, 5))


_NOTE_COMMANDS = f"""
with asked as (
    select * from {given(id="uuid", command="uuid", kind="text", edit="bigint", at="timestamptz")} g
)
insert into commands (id, command, kind, edit, at)
select * from asked
union all
select n.id, a.command, a.kind, a.edit, a.at from asked a join notifications n on n.parent = a.id
on conflict do nothing
"""


async def note_group_cancel(connection: Connection, cancel: e.Cancel) -> None:
    """Remember a group's cancel with each member that it is about and that has not ended."""
    await connection.execute(
        _NOTE_GROUP_CANCEL,
        cancel.tenant,
        cancel.group,
        cancel.owner,
        cancel.command,
        cancel.accepted_at,
        cancel.for_ever,
        CANCELLED,
    )


_NOTE_GROUP_CANCEL = """
insert into commands (id, command, kind, at)
select id, $4, 'cancel', $5
from notifications
where tenant = $1 and group_name = $2 and ($3::text is null or owner = $3) and rank < $7
  and (accepted_at <= $5 or $6)
on conflict do nothing
"""


async def commands_about(connection: Connection, ids: Collection[UUID]) -> list[Order]:
    """All that was asked about these notifications."""
    rows = await connection.fetch("select id, command, kind, edit, at from commands where id = any($1::uuid[])", ids)
    return [Order(*row.values()) for row in rows]


async def known(connection: Connection, ids: Collection[UUID]) -> list[Known]:
    """What these notifications and those of these parents have come to, as far as there are rows."""
    rows = await connection.fetch(_KNOWN, ids)
    return [Known(*row.values()) for row in rows]


_KNOWN = """
select id, place, rank, was, edit, sent_at from notifications where id = any($1::uuid[])
union all
select id, place, rank, was, edit, sent_at from notifications where parent = any($1::uuid[])
"""


async def count(connection: Connection, moves: Mapping[CountKey, int]) -> None:
    """Move the counts per hour and per owner; sorted, so that two projectors never deadlock."""
    hours: Counter[tuple[Any, ...]] = Counter()
    tallies: Counter[tuple[Any, ...]] = Counter()
    for key, n in moves.items():
        hours[key.hour, key.tenant, key.channel, key.rank] += n
        tallies[key.tenant, key.owner, key.channel, key.rank] += n
    await connection.execute(_COUNT_HOURS, *columns(sorted((*key, n) for key, n in hours.items()), 5))
    await connection.execute(_COUNT_TALLIES, *columns(sorted((*key, n) for key, n in tallies.items()), 5))


_COUNT_HOURS = f"""
insert into hours as h (hour, tenant, channel, rank, n)
select * from {given(hour="timestamptz", tenant="text", channel="text", rank="smallint", n="bigint")} g
on conflict (hour, tenant, channel, rank) do update set n = h.n + excluded.n
"""

_COUNT_TALLIES = f"""
insert into tallies as t (tenant, owner, channel, rank, n)
select * from {given(tenant="text", owner="text", channel="text", rank="smallint", n="bigint")} g
on conflict (tenant, owner, channel, rank) do update set n = t.n + excluded.n
"""


async def add_refusals(connection: Connection, refusals: Iterable[tuple[e.Refused, datetime]]) -> None:
    """The same key came with another body: shown where the first one is shown (P1)."""
    rows = [(event.conflicts_with, event.id, heard, event.detail) for event, heard in refusals]
    await connection.execute(
        f"insert into refusals (id, refusal, at, detail) select * from {_REFUSALS} g on conflict do nothing",
        *columns(rows, 4),
    )


_REFUSALS = given(id="uuid", refusal="uuid", at="timestamptz", detail="text")


async def add_poison(connection: Connection, poison: Iterable[e.Poison]) -> None:
    """Records that nobody can read, kept for an admin (P7)."""
    rows = [
        (x.id, x.tenant, x.topic, x.partition, x.offset, x.timestamp, x.error, x.size, x.sha256, x.value, x.reported_by)
        for x in poison
    ]
    await connection.execute(_ADD_POISON, *columns(rows, 11))


_POISON = given(
    id="uuid",
    tenant="text",
    topic="text",
    partition="integer",
    place="bigint",
    timestamp="timestamptz",
    error="text",
    size="integer",
    sha256="text",
    value="bytea",
    reported_by="text",
)

_ADD_POISON = f"""
insert into poison (id, tenant, topic, partition, "offset", timestamp, error, size, sha256, value, reported_by)
select * from {_POISON} g
on conflict do nothing
"""
