"""The rows of notifications: locked in one order, read once, written once per batch."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from contracts.status import Channel, End, Lane, Status
from kit.postgres import Connection
from kit.postgres.columns import Columns
from services.intake.rules.hearing import Known, R
from services.intake.rules.row import Frozen, Moment, Row, State
from services.intake.rules.sweeping import PILES, Pile, look_at, pile_of
from services.intake.store import windows

_ITS_OWN: Final = {
    "id": "uuid",
    "owner": "text",
    "user_id": "text",
    "group_name": "text",
    "accepted_at": "timestamptz",
    "fingerprint": "bytea",
    "body": "bytea",
}
_SHARED: Final = {
    "tenant": "text",
    "channel": "text",
    "lane": "text",
    "judged_at": "timestamptz",
    "parent": "uuid",
    "steps": "smallint",
    "collapse_key": "text",
    "trace": "text",
}
_CHANGING_OFTEN: Final = {
    "address": "text",
    "locale": "text",
    "planned_at": "timestamptz",
    "expires_at": "timestamptz",
    "look_at": "timestamptz",
}
_CHANGING: Final = {
    "time_zone": "text",
    "template": "text",
    "state": "text",
    "edit": "bigint",
    "round": "integer",
    "reason": "text",
    "detail": "text",
    "since": "timestamptz",
    "end_asked": "text",
    "outcome": "text",
    "unknown": "smallint",
    "answer": "bytea",
    "sweeps": "smallint",
    "rest_until": "timestamptz",
    "pile": "text",
    "windows": "text",
    "digest": "uuid",
}
"""All columns: what a row has for itself and what it usually shares with the others of its batch; fixed, or not."""


_READ: Final = (
    "id, tenant, owner, channel, lane, user_id, group_name, accepted_at, judged_at, parent, steps, fingerprint, "
    "collapse_key, address, locale, time_zone, template, state, edit, round, planned_at, expires_at, reason, detail, "
    "since, end_asked, outcome, unknown, answer, sweeps, rest_until, windows, "
    "digest, trace"
)


async def moment(connection: Connection) -> Moment:
    """Both clocks, read once per transaction."""
    row = await connection.fetchrow("select clock(), clock_timestamp()")
    assert row is not None
    return Moment(row[0], row[1])


async def beginning(connection: Connection) -> tuple[Moment, bool]:
    """Both clocks, and whether there is any suppressed address: where there is none, nobody asks about each (P3.10)."""
    row = await connection.fetchrow(_BEGINNING)
    assert row is not None
    return Moment(row[0], row[1]), row[2]


_BEGINNING: Final = """
select clock(), clock_timestamp(), exists (select from objects where kind = 'suppression' and not gone)
"""


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
    table, values = _ALL.of([(*_own(row, moment), *_shared(row)) for row in rows])
    status = await connection.execute(_INSERT.format(table), *values)
    if int(status.rpartition(" ")[2]) != len(rows):
        raise asyncpg.SerializationError("a notification was accepted by somebody else meanwhile")


_ALL: Final = Columns(**_ITS_OWN, **_CHANGING_OFTEN, **_SHARED, **_CHANGING)
_NAMES: Final = ", ".join((*_ITS_OWN, *_CHANGING_OFTEN, *_SHARED, *_CHANGING))
_INSERT: Final = f"insert into notifications ({_NAMES}) select {_NAMES} from {{}} as u on conflict (id) do nothing"


async def update(connection: Connection, rows: Sequence[Row], moment: Moment) -> None:
    """Write what may change of rows that this transaction has locked."""
    table, values = _CHANGES.of([(row.id, *_often(row, moment), *_changing(row)) for row in rows])
    await connection.execute(_UPDATE.format(table), *values)


_CHANGES: Final = Columns(id="uuid", **_CHANGING_OFTEN, **_CHANGING)
_SET: Final = ", ".join(f"{name} = u.{name}" for name in (*_CHANGING_OFTEN, *_CHANGING))
_UPDATE: Final = f"update notifications n set {_SET} from {{}} as u where n.id = u.id"


async def lock_known(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Known]:
    """As `lock`, but no more of each row than an outcome needs."""
    found = await connection.fetch(_LOCK_KNOWN, list(ids))
    return {r[0]: Known(r[0], r[1], State(r[2]), Status(r[3]) if r[3] else None, r[4]) for r in found}


_LOCK_KNOWN: Final = """
select id, accepted_at, state, outcome, unknown from notifications where id = any($1::uuid[]) order by id for update
"""


async def end(connection: Connection, rows: Iterable[Known]) -> None:
    """Write the outcomes that were heard: the most frequent change, and a narrow one."""
    kinds = _by_kind(((row.id, row.answer), (row.outcome, row.reason, row.detail, row.unknown)) for row in rows)
    for kind, own in kinds.items():
        await connection.execute(_END, *_columns(own), *kind)


_END: Final = """
update notifications n
set state = 'ended', outcome = $3, reason = $4, detail = $5, unknown = $6, answer = u.answer,
    pile = null, look_at = null
from unnest($1::uuid[], $2::bytea[]) as u(id, answer)
where n.id = u.id
"""


async def raise_unknown(connection: Connection, rows: Iterable[Known]) -> None:
    """Of rows whose outcome stays what it was: there were more hand-overs of unknown fate than was known (P2)."""
    await connection.execute(_RAISE_UNKNOWN, *_columns([(row.id, row.unknown) for row in rows]))


_RAISE_UNKNOWN: Final = """
update notifications n set unknown = u.unknown from unnest($1::uuid[], $2::smallint[]) as u(id, unknown)
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
    found = await connection.fetch(_LOST, pile.name, until, most)
    return {row.id: row for row in map(_row, found)}


_LOST: Final = f"""
select {_READ} from notifications where pile = $1 and look_at <= $2
order by look_at limit $3 for update skip locked
"""


async def oldest(connection: Connection) -> dict[str, datetime]:
    """The oldest `look_at` of each pile that has rows."""
    piles = [pile.name for pile in PILES]
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


async def digests(connection: Connection, ids: Collection[UUID]) -> list[UUID]:
    """The digests that these rows wait for or became part of."""
    found = await connection.fetch(_DIGESTS, list(ids))
    return [row["digest"] for row in found]


# Where nobody has any digest, that is all there is to look at.
_DIGESTS: Final = """
select distinct digest from notifications
where id = any($1::uuid[]) and digest is not null
and exists (select from notifications where digest is not null)
"""


async def members(connection: Connection, digests: Collection[UUID]) -> list[UUID]:
    """Who waits for these digests, of each the oldest; the others, where they are too many, become another of it.

    Who makes a digest locks them like all rows, so that somebody else finds them ended, or the digest made.
    """
    most = min(MOST_OF_ONE, max(1, MOST_MEMBERS // len(digests)))
    found = await connection.fetch(_MEMBERS, list(digests), most)
    return [row["id"] for row in found]


MOST_OF_ONE: Final = 1000
"""As many notifications as one digest gathers."""
MOST_MEMBERS: Final = 20_000
"""As many as the digests of one batch gather together, each its share."""

_MEMBERS: Final = """
select m.id from unnest($1::uuid[]) as d(digest) cross join lateral (
    select n.id from notifications n where n.digest = d.digest and n.state = 'waiting'
    order by n.accepted_at, n.id limit $2
) m
"""


async def read(connection: Connection, ids: Collection[UUID]) -> list[Row]:
    """The rows of these ids as they are, without a lock."""
    found = await connection.fetch(f"select {_READ} from notifications where id = any($1::uuid[])", list(ids))
    return [_row(row) for row in found]


# ------------------------------------------------------------------------------------------------ there and back


_NOTHING_YET: Final = Frozen()

Values = tuple[Any, ...]


def _own(row: Row, moment: Moment) -> Values:
    fingerprint = bytes.fromhex(row.fingerprint) if row.fingerprint else None
    its_own = row.id, row.owner, row.user_id, row.group, row.accepted_at, fingerprint, row.body
    return (*its_own, *_often(row, moment))


def _often(row: Row, moment: Moment) -> Values:
    frozen = row.frozen or _NOTHING_YET
    return frozen.to, frozen.locale, row.planned_at, row.expires_at, look_at(row, moment)


def _shared(row: Row) -> Values:
    fixed = row.tenant, row.channel, row.lane, row.judged_at, row.parent, row.steps, row.collapse_key, row.trace
    return (*fixed, *_changing(row))


def _changing(row: Row) -> Values:
    frozen, pile = row.frozen or _NOTHING_YET, pile_of(row)
    return (
        frozen.time_zone,
        frozen.template,
        row.state,
        row.edit,
        row.round,
        row.reason,
        row.detail,
        row.since,
        row.end,
        row.outcome,
        row.unknown,
        row.answer,
        row.sweeps,
        row.rest_until,
        pile.name if pile else None,
        windows.written(frozen.windows),
        row.digest,
    )


def _by_kind(rows: Iterable[tuple[Values, Values]]) -> dict[Values, list[Values]]:
    """What each row has for itself, gathered by what it shares with others."""
    kinds: dict[Values, list[Values]] = {}
    for own, shared in rows:
        kinds.setdefault(shared, []).append(own)
    return kinds


def _columns(rows: Sequence[Values]) -> Iterator[Values]:
    return zip(*rows, strict=True)


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
        frozen=Frozen(r[13], r[14], r[15], r[16], windows.read(r[31])) if r[15] else None,
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
        digest=r[32],
        trace=r[33],
    )


def changed(before: Mapping[UUID, R], after: Iterable[R]) -> list[R]:
    """Those that are no longer what was read."""
    return [row for row in after if before.get(row.id) is not row]
