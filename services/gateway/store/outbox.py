"""The outbox: what was accepted and is not answered yet, and when somebody should look at it again (P6.1)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts import events as e
from kit.postgres import Connection
from services.gateway.rules.asked import Kind, Waiting
from services.gateway.rules.consequences import Answers, Known
from services.gateway.rules.projection import CANCELLED
from services.gateway.store.accepting import FIRST_LOOK
from services.gateway.store.arrays import columns, given

MOST_COUNTED = 100_000

Key = tuple[UUID, UUID]
"""The notification (or group), and the command: itself for a request."""


async def lock(connection: Connection, id: UUID) -> Known | None:
    """Lock a notification's row, behind which its edits are numbered and the projector waits. None: it was cleaned up.

    A parent is as far as the least advanced of its children.
    """
    row = await connection.fetchrow(_LOCK, id)
    return Known(*row.values()) if row else None


_LOCK = """
select id, place, coalesce((select min(c.rank) from notifications c where c.parent = n.id), rank), was, edit, sent_at
from notifications n where id = $1 for no key update
"""


async def next_edit(connection: Connection, id: UUID) -> tuple[int, datetime]:
    """The number and time of the next edit. Moves that came through Kafka are numbered by their milliseconds."""
    row = await connection.fetchrow(_NEXT_EDIT, id)
    assert row is not None
    return row["edit"], row["at"]


_NEXT_EDIT = """
select statement_timestamp() as at, greatest(
    1 + coalesce((select max(edit) from commands where id = $1), 0),
    floor(extract(epoch from statement_timestamp()) * 1000)::bigint
) as edit
"""


async def now(connection: Connection) -> datetime:
    """The database's time: what is accepted is dated by it, whichever gateway accepts."""
    at: datetime = await connection.fetchval("select statement_timestamp()")
    return at


class Keeping(NamedTuple):
    """A command as it is kept."""

    id: UUID
    command: UUID
    kind: Kind
    tenant: str
    owner: str | None
    edit: int
    topic: str
    event: str
    accepted_at: datetime


async def keep(connection: Connection, rows: Sequence[Keeping]) -> None:
    """Keep commands until they are answered."""
    await connection.execute(_KEEP, *columns(rows, 9), FIRST_LOOK)


async def expect_answers(connection: Connection, id: UUID) -> None:
    """From now on answers about this notification are looked for here. Its row is locked already."""
    await connection.execute("update notifications set posted = true where id = $1 and not posted", id)


_KEEPING = given(
    id="uuid",
    command="uuid",
    kind="text",
    tenant="text",
    owner="text",
    edit="bigint",
    topic="text",
    event="text",
    accepted_at="timestamptz",
)

_KEEP = f"""
insert into outbox (id, command, kind, tenant, owner, edit, topic, event, accepted_at, next_at)
select g.*, clock_timestamp() + make_interval(secs => $10) from {_KEEPING} g
on conflict do nothing
"""


async def published(connection: Connection, keys: Collection[Key], first_pause: float) -> None:
    """Kafka has acknowledged them; when they stay unanswered they are looked at after a pause that doubles."""
    await connection.execute(_PUBLISHED, *columns(keys, 2), first_pause)


_KEYS = given(id="uuid", command="uuid")

_PUBLISHED = f"""
update outbox o
set published_at = clock_timestamp(),
    next_at = clock_timestamp() + make_interval(secs => $3 * power(2, least(o.repeats, 12)))
from {_KEYS} g
where o.id = g.id and o.command = g.command
"""


async def give_back(connection: Connection, keys: Collection[Key]) -> None:
    """They could not be published: the next sweep may try at once."""
    await connection.execute(
        f"update outbox o set next_at = clock_timestamp() from {_KEYS} g"
        " where o.id = g.id and o.command = g.command and o.published_at is null",
        *columns(keys, 2),
    )


async def take(connection: Connection, most: int, lease: float) -> list[Waiting]:
    """Rows that nobody has published: ours for the lease. Another gateway passes over them meanwhile."""
    rows = await connection.fetch(_TAKE, most, lease)
    return [Waiting(*row.values()) for row in rows]


_TAKE = """
with mine as (
    select id, command from outbox
    where next_at <= clock_timestamp() and published_at is null
    order by next_at limit $1 for update skip locked
), taken as (
    update outbox o set next_at = clock_timestamp() + make_interval(secs => $2)
    from mine where o.id = mine.id and o.command = mine.command
    returning o.id, o.command, o.kind, o.tenant, o.owner, o.accepted_at, o.repeats, o.event
)
select taken.*, n.request, n.files, n.replay_of, n.trace
from taken left join notifications n on n.id = taken.id and taken.kind = 'request'
order by taken.accepted_at
"""


async def unanswered(connection: Connection, served: Mapping[str, datetime], slack: float, most: int) -> int:
    """Rows whose judge has read past their publishing without an answer: to be said again. How many."""
    rows = await connection.fetch(_UNANSWERED, list(served), list(served.values()), slack, most)
    return len(rows)


_UNANSWERED = """
with mine as (
    select o.id, o.command from outbox o
    join unnest($1::text[], $2::timestamptz[]) as g(topic, served) on g.topic = o.topic
    where o.next_at <= clock_timestamp() and o.published_at is not null
      and o.published_at < g.served - make_interval(secs => $3)
    order by o.next_at limit $4 for update of o skip locked
)
update outbox o set published_at = null, repeats = o.repeats + 1, next_at = clock_timestamp()
from mine where o.id = mine.id and o.command = mine.command
returning o.id
"""


async def overdue_topics(connection: Connection, slack: float) -> list[str]:
    """The topics on which something is unanswered for longer than the slack."""
    rows = await connection.fetch(
        "select distinct topic from outbox"
        " where published_at < clock_timestamp() - make_interval(secs => $1) and next_at <= clock_timestamp()",
        slack,
    )
    return [row["topic"] for row in rows]


async def end_answered(connection: Connection, answers: Answers) -> None:
    """The judge has spoken: these rows have done their work."""
    if answers.final or answers.judged:
        await connection.execute(_END_ANSWERED, answers.final, answers.judged)
    if answers.families:
        await connection.execute(_END_FAMILIES, answers.families, CANCELLED)
    for id, edit in answers.moved:
        await connection.execute("delete from outbox where id = $1 and kind = 'move' and edit <= $2", id, edit)


# Counted in the same statement, so that counts and rows are never of two moments (P9).
_END_ANSWERED = """
with ended as (
    delete from outbox
    where id = any($1::uuid[]) and kind <> 'inbox' or id = any($2::uuid[]) and kind = 'request'
    returning kind, accepted_at
)
insert into asked_hours as a (hour, slot, answered)
select date_bin('1 hour', accepted_at, 'epoch'), pg_backend_pid() % 16, count(*)
from ended where kind = 'request' group by 1 order by 1
on conflict (hour, slot) do update set answered = a.answered + excluded.answered
"""

_END_FAMILIES = """
delete from outbox o
where o.id = any($1::uuid[]) and o.kind in ('cancel', 'move')
  and not exists (select from notifications n where n.parent = o.id and n.rank < $2)
"""


async def end_groups(connection: Connection, groups: Iterable[e.GroupCancelled]) -> None:
    """A group's cancel is answered by an event of the group's own that reaches it (P3.4)."""
    for event in groups:
        await connection.execute(
            "delete from outbox where id = $1 and kind = 'group' and owner is not distinct from $2"
            " and ($3::timestamptz is null or accepted_at <= $3)",
            event.subject,
            event.owner,
            event.through,
        )


async def end_inbox(connection: Connection, changes: Iterable[e.InboxChanged]) -> None:
    """What a person did with an entry has come back from Kafka."""
    rows = list(changes)
    await connection.execute(
        "delete from outbox where id = any($1::uuid[]) and command = any($2::uuid[]) and kind = 'inbox'",
        [event.id for event in rows],
        [event.ce_id for event in rows],
    )


async def pending(connection: Connection) -> dict[str, int]:
    """How many rows wait for their answer, by kind; nobody counts further than a hundred thousand."""
    rows = await connection.fetch(
        "select kind, count(*) as n from (select kind from outbox limit $1) as o group by kind", MOST_COUNTED
    )
    return {row["kind"]: row["n"] for row in rows}
