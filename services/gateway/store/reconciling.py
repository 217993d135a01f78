"""What nobody accounts for: the counts beside the rows of the outbox, and our hours beside intake's (P9)."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

from contracts.identity import child_id
from contracts.status import Lane
from kit.postgres import Connection
from services.gateway.rules.projection import CANCELLED
from services.gateway.store.people import BLANK

Part = Literal["outbox", "between", "judge"]

MOST_ROWS: Final = 100_000
"""Of the outbox; while there are more, nobody compares them."""


class Lost(NamedTuple):
    """How many nobody accounts for, and how many of these are not among what we count as accepted."""

    lost: int
    uncounted: int


class Total(NamedTuple):
    """Of all tenants: accepted, and how many of these have ended."""

    accepted: int
    final: int


async def note(connection: Connection, part: Part, found: Lost) -> None:
    """What was found is known to all gateways."""
    await connection.execute(_NOTE, part, *found)


_NOTE: Final = """
insert into losses as l (part, lost, uncounted) values ($1, $2, $3)
on conflict (part) do update set lost = excluded.lost, uncounted = excluded.uncounted, at = excluded.at
where (l.lost, l.uncounted) is distinct from (excluded.lost, excluded.uncounted)
"""


async def noted(connection: Connection) -> Lost:
    """What was found last, all parts together."""
    row = await connection.fetchrow(
        "select coalesce(sum(lost), 0)::bigint, coalesce(sum(uncounted), 0)::bigint from losses"
    )
    assert row is not None
    return Lost(*row.values())


async def total(connection: Connection) -> Total:
    """As the projector counts."""
    row = await connection.fetchrow(
        "select coalesce(sum(n), 0)::bigint, coalesce(sum(n) filter (where rank >= $1), 0)::bigint from hours",
        CANCELLED,
    )
    assert row is not None
    return Total(*row.values())


async def standing(connection: Connection, before: datetime) -> Lost:
    """By how much hours differ from intake's that have differed in the same way since before then."""
    row = await connection.fetchrow(_STANDING, before)
    assert row is not None
    return Lost(*row.values())


# What only one of both has, and what has ended for only one of both, is not accounted for.
_STANDING: Final = """
select coalesce(sum(greatest(abs(accepted - our_accepted), abs(final - our_final))), 0)::bigint,
       coalesce(sum(greatest(accepted - our_accepted, 0)), 0)::bigint
from (
    select accepted, final, split_part(difference, '/', 3)::bigint as our_accepted,
           split_part(difference, '/', 4)::bigint as our_final
    from judged_hours
    where difference is not null and since < $1 and since < at
) as differing
"""


async def alone(connection: Connection) -> bool:
    """Whether nobody else sets right what is counted of the outbox, until the end of this transaction."""
    return bool(await connection.fetchval("select pg_try_advisory_xact_lock(hashtext('tocsin.gateway.reconciling'))"))


async def outbox_differences(connection: Connection) -> dict[datetime, int] | None:
    """By hour of acceptance: how many requests should be in the outbox and are not. None while nobody can say."""
    if await connection.fetchval("select count(*) from (select from outbox limit $1) as o", MOST_ROWS) == MOST_ROWS:
        return None
    await connection.execute(f"delete from asked_hours where hour < {_SINCE}")
    return {row["hour"]: row["n"] for row in await connection.fetch(_OUTBOX_DIFFERENCES)}


_SINCE: Final = "date_bin('1 hour', clock_timestamp() - interval '8 days', 'epoch')"
"""A day more than Kafka keeps: what is older is said by nobody any more."""

_OUTBOX_DIFFERENCES: Final = f"""
with counted as (
    select hour, sum(asked - answered) as n from asked_hours where hour >= {_SINCE} group by hour
), waiting as (
    select date_bin('1 hour', accepted_at, 'epoch') as hour, count(*) as n from outbox
    where kind = 'request' and accepted_at >= {_SINCE}
    group by 1
)
select hour, (coalesce(c.n, 0) - coalesce(w.n, 0))::bigint as n
from counted c full join waiting w using (hour)
where coalesce(c.n, 0) <> coalesce(w.n, 0)
"""


async def forgotten(connection: Connection, hour: datetime) -> list[UUID]:
    """What REST accepted in that hour, of which nothing was heard and which nobody is going to publish.

    Of what was erased, or of whose channels one was cleaned up, something was heard: the judge has had it, and there is
    nothing left to publish. Looks at every notification of the hour: to be asked only where the counts say that there
    is something.
    """
    rows = await connection.fetch(_FORGOTTEN, hour)
    parts = {child_id(row["id"], channel): row["id"] for row in rows for channel in row["channels"]}
    cleaned = await connection.fetch("select id from cleaned where id = any($1::uuid[])", list(parts)) if parts else ()
    ended = {parts[row["id"]] for row in cleaned}
    return [row["id"] for row in rows if row["id"] not in ended]


_FORGOTTEN: Final = f"""
select n.id, coalesce(n.channels, '{{}}') as channels from notifications n
where n.place >= place_of($1, '00000000-0000-0000-0000-000000000000')
  and n.place < place_of($1 + interval '1 hour', '00000000-0000-0000-0000-000000000000')
  and n.fingerprint is not null and n.parent is null and n.counted is null and n.request is distinct from '{BLANK}'
  and not exists (select from outbox o where o.id = n.id and o.kind = 'request')
  and (n.channels is null or not exists (select from notifications c where c.parent = n.id and c.counted is not null))
"""


async def put_back(connection: Connection, ids: Collection[UUID], topics: Mapping[Lane, str]) -> None:
    """Into the outbox, whose sweep publishes them: they were counted there, and are not counted again."""
    await connection.execute(_PUT_BACK, ids, list(topics), list(topics.values()))


_PUT_BACK: Final = """
insert into outbox (id, command, kind, tenant, owner, topic, accepted_at, next_at)
select n.id, n.id, 'request', n.tenant, n.owner, t.topic, n.accepted_at, clock_timestamp()
from notifications n join unnest($2::text[], $3::text[]) as t(lane, topic) using (lane)
where n.id = any($1::uuid[])
on conflict do nothing
"""


async def explain(connection: Connection, hour: datetime, n: int) -> None:
    """So many were counted by a gateway of another version, or not counted by it: they are all there."""
    await connection.execute(
        "insert into asked_hours as a (hour, slot, answered) values ($1, 0, $2)"
        " on conflict (hour, slot) do update set answered = a.answered + excluded.answered",
        hour,
        n,
    )
