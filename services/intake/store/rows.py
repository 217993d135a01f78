"""The rows of notifications: locked in one order, read once, written once per batch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from contracts.status import Channel, End, Lane, Status
from kit.postgres import Connection
from services.intake.rules.row import Frozen, Moment, Row, State
from services.intake.rules.sweeping import PILES, Pile, look_at, pile_of

_FIXED: Final = {
    "id": "uuid",
    "tenant": "text",
    "owner": "text",
    "channel": "text",
    "lane": "text",
    "user_id": "text",
    "group_name": "text",
    "accepted_at": "timestamptz",
    "judged_at": "timestamptz",
    "parent": "uuid",
    "steps": "smallint",
    "fingerprint": "bytea",
    "collapse_key": "text",
}
_CHANGING: Final = {
    "address": "text",
    "locale": "text",
    "time_zone": "text",
    "template": "text",
    "state": "text",
    "edit": "bigint",
    "round": "integer",
    "planned_at": "timestamptz",
    "expires_at": "timestamptz",
    "reason": "text",
    "detail": "text",
    "since": "timestamptz",
    "end_asked": "text",
    "outcome": "text",
    "unknown": "smallint",
    "answer": "bytea",
    "sweeps": "smallint",
    "rest_until": "timestamptz",
}
_PLACED: Final = {"pile": "text", "look_at": "timestamptz"}
_READ: Final = ", ".join((*_FIXED, *_CHANGING))


def _unnest(columns: Mapping[str, str]) -> str:
    arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(columns.values(), start=1))
    return f"unnest({arrays}) as u({', '.join(columns)})"


async def moment(connection: Connection) -> Moment:
    """Both clocks, read once per transaction."""
    row = await connection.fetchrow("select clock(), clock_timestamp()")
    assert row is not None
    return Moment(row[0], row[1])


async def lock(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Row]:
    """The rows of these ids, locked in the order of the ids, so that no two transactions wait for each other."""
    found = await connection.fetch(_LOCK, list(ids))
    return {row.id: row for row in map(_row, found)}


_LOCK: Final = f"select {_READ} from notifications where id = any($1::uuid[]) order by id for update"


async def bodies(connection: Connection, ids: Collection[UUID]) -> dict[UUID, bytes]:
    """The requests of these ids, where content is needed."""
    found = await connection.fetch(_BODIES, list(ids))
    return {row["id"]: row["body"] for row in found}


_BODIES: Final = "select id, body from notifications where id = any($1::uuid[]) and body is not null"


async def insert(connection: Connection, rows: Sequence[Row], moment: Moment) -> None:
    """Accept: the verdict is stored by this very statement (P3.1).

    Raises SerializationError when somebody else has accepted one of them meanwhile: the batch is judged again, and
    finds it.
    """
    values = [(*_fixed(row), *_changing(row), *_placed(row, moment), row.body) for row in rows]
    done = await connection.execute(_INSERT, *zip(*values, strict=True))
    if done != f"INSERT 0 {len(rows)}":
        raise asyncpg.SerializationError("a notification was accepted by somebody else meanwhile")


_WRITTEN: Final = {**_FIXED, **_CHANGING, **_PLACED, "body": "bytea"}
_INSERT: Final = f"""
insert into notifications ({", ".join(_WRITTEN)})
select * from {_unnest(_WRITTEN)}
on conflict (id) do nothing
"""


async def update(connection: Connection, rows: Sequence[Row], moment: Moment) -> None:
    """Write what may change of rows that this transaction has locked."""
    values = [(row.id, *_changing(row), *_placed(row, moment)) for row in rows]
    await connection.execute(_UPDATE, *zip(*values, strict=True))


_CHANGED: Final = {"id": "uuid", **_CHANGING, **_PLACED}
_UPDATE: Final = f"""
update notifications n set {", ".join(f"{name} = u.{name}" for name in (*_CHANGING, *_PLACED))}
from {_unnest(_CHANGED)}
where n.id = u.id
"""


async def end(connection: Connection, rows: Sequence[Row]) -> None:
    """Write the outcomes that were heard: the most frequent change, and a narrow one."""
    values = [(row.id, row.outcome, row.reason, row.detail, row.unknown, row.answer) for row in rows]
    await connection.execute(_END, *zip(*values, strict=True))


_END: Final = """
update notifications n
set state = 'ended', outcome = u.outcome, reason = u.reason, detail = u.detail, unknown = u.unknown, answer = u.answer,
    pile = null, look_at = null
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::bytea[])
    as u(id, outcome, reason, detail, unknown, answer)
where n.id = u.id
"""


async def forget_stubs(connection: Connection, ids: Collection[UUID]) -> None:
    """The requests of these memories have come: they make way for the rows."""
    await connection.execute("delete from notifications where id = any($1::uuid[])", list(ids))


async def accepted_between(connection: Connection, start: datetime, end: datetime) -> list[UUID]:
    """The ids of all notifications that were accepted in [start, end)."""
    found = await connection.fetch(_ACCEPTED, start, end)
    return [row["id"] for row in found]


_ACCEPTED: Final = """
select id from notifications where accepted_at >= $1 and accepted_at < $2 and state <> 'split'
"""


async def lost(connection: Connection, pile: Pile, until: datetime, most: int) -> dict[UUID, Row]:
    """Rows of a pile that should have been heard of before `until`, the oldest first; not those somebody works on."""
    found = await connection.fetch(_LOST, str(pile), until, most)
    return {row.id: row for row in map(_row, found)}


_LOST: Final = f"""
select {_READ} from notifications where pile = $1 and look_at <= $2
order by look_at limit $3 for update skip locked
"""


async def oldest(connection: Connection) -> dict[str, datetime]:
    """The oldest `look_at` of each pile that has rows."""
    piles = [str(pile) for pile in PILES]
    found = await connection.fetch(_OLDEST, piles)
    return {row["pile"]: row["look_at"] for row in found if row["look_at"] is not None}


_OLDEST: Final = """
select pile, (select min(look_at) from notifications n where n.pile = p.pile and look_at is not null) as look_at
from unnest($1::text[]) as p(pile)
"""


async def overdue(connection: Connection, before: datetime, most: int) -> dict[UUID, Row]:
    """Open rows that expired before then, and whose end nobody was asked for."""
    found = await connection.fetch(_OVERDUE, before, most)
    return {row.id: row for row in map(_row, found)}


_OVERDUE: Final = f"""
select {_READ} from notifications where expires_at < $1 and look_at is not null and end_asked is null
order by expires_at limit $2 for update skip locked
"""


async def read(connection: Connection, ids: Collection[UUID]) -> list[Row]:
    """The rows of these ids as they are, without a lock."""
    found = await connection.fetch(f"select {_READ} from notifications where id = any($1::uuid[])", list(ids))
    return [_row(row) for row in found]


# ------------------------------------------------------------------------------------------------ there and back


def _fixed(row: Row) -> tuple[Any, ...]:
    return (
        row.id,
        row.tenant,
        row.owner,
        row.channel,
        row.lane,
        row.user_id,
        row.group,
        row.accepted_at,
        row.judged_at,
        row.parent,
        row.steps,
        bytes.fromhex(row.fingerprint) if row.fingerprint else None,
        row.collapse_key,
    )


_NOTHING_YET: Final = Frozen()


def _changing(row: Row) -> tuple[Any, ...]:
    frozen = row.frozen or _NOTHING_YET
    return (
        frozen.to,
        frozen.locale,
        frozen.time_zone,
        frozen.template,
        row.state,
        row.edit,
        row.round,
        row.planned_at,
        row.expires_at,
        row.reason,
        row.detail,
        row.since,
        row.end,
        row.outcome,
        row.unknown,
        row.answer,
        row.sweeps,
        row.rest_until,
    )


def _placed(row: Row, moment: Moment) -> tuple[str | None, datetime | None]:
    pile = pile_of(row)
    return (str(pile) if pile else None, look_at(row, moment))


def _row(r: Any) -> Row:
    return Row(
        id=r[0],
        tenant=r[1],
        owner=r[2],
        channel=Channel(r[3]) if r[3] else None,
        lane=Lane(r[4]),
        user_id=r[5],
        group=r[6],
        accepted_at=r[7],
        judged_at=r[8],
        parent=r[9],
        steps=r[10],
        fingerprint=r[11].hex() if r[11] else None,
        collapse_key=r[12],
        frozen=Frozen(r[13], r[14], r[15], r[16]) if r[15] else None,
        state=State(r[17]),
        edit=r[18],
        round=r[19],
        planned_at=r[20],
        expires_at=r[21],
        reason=r[22],
        detail=r[23],
        since=r[24],
        end=End(r[25]) if r[25] else None,
        outcome=Status(r[26]) if r[26] else None,
        unknown=r[27],
        answer=r[28],
        sweeps=r[29],
        rest_until=r[30],
    )


def changed(before: Mapping[UUID, Row], after: Iterable[Row]) -> list[Row]:
    """Those that are no longer what was read."""
    return [row for row in after if before.get(row.id) is not row]
