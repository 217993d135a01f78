"""What an inbox shows, and what became of it since."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic_core import from_json, to_json

from contracts import events as e
from contracts import topics
from kit.postgres import Connection
from services.gateway.rules.inbox import Words
from services.gateway.store.accepting import FIRST_LOOK
from services.gateway.store.arrays import columns, given
from services.gateway.store.inbox import Person

Mark = Literal["read", "unread", "archived", "unarchived", "recalled"]
UNDONE: Final[frozenset[Mark]] = frozenset({"unread", "unarchived"})
"""Marks that take another one away."""

Placed = tuple[UUID, int]
"""An entry, and the offset of its change in the person's stream."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is shown of one notification, and what every event about it carries (`notification`, JSON)."""

    id: UUID
    tenant: str
    user_id: str
    owner: str
    offset: int
    kind: str | None
    category: str | None
    title: str | None
    body: str | None
    data: str | None
    created_at: datetime
    read_at: datetime | None
    archived_at: datetime | None
    recalled_at: datetime | None
    version: int
    notification: str

    @property
    def person(self) -> Person:
        """Whose inbox shows it."""
        return self.tenant, self.user_id

    @property
    def words(self) -> Words:
        """What it says."""
        return Words(self.title, self.body, from_json(self.data)["data"] if self.data else None)

    def marked(self, mark: Mark, at: datetime) -> "Entry":
        """The same, once that is so; what is recalled is shown to nobody."""
        value = None if mark in UNDONE else at
        if mark in ("archived", "unarchived"):
            return replace(self, archived_at=value)
        return replace(self, read_at=value)

    def has(self, mark: Mark) -> bool:
        """Whether that is so already."""
        match mark:
            case "read":
                return self.read_at is not None
            case "unread":
                return self.read_at is None
            case "archived":
                return self.archived_at is not None
            case "unarchived":
                return self.archived_at is None
            case "recalled":
                return self.recalled_at is not None


@dataclass(frozen=True, slots=True)
class Page:
    """Which entries are looked for; None: whichever."""

    after: int | None
    unread: bool
    archived: bool
    created_after: datetime | None
    created_before: datetime | None
    limit: int


_ENTRY: Final = """
select id, tenant, user_id, owner, "offset", kind, category, title, body, data, created_at,
    read_at, archived_at, recalled_at, version, notification
from inbox
"""
_OF_PERSON: Final = """ where tenant = $1 and user_id = $2 and "offset" is not null and recalled_at is null"""
_UNREAD: Final = " and read_at is null and archived_at is null"


async def page(connection: Connection, person: Person, asked: Page) -> list[Entry]:
    """Entries of one person, the newest first."""
    rows = await connection.fetch(
        _PAGE,
        *person,
        asked.after,
        asked.unread,
        asked.archived,
        asked.created_after,
        asked.created_before,
        asked.limit,
    )
    return [Entry(*row.values()) for row in rows]


_PAGE: Final = f"""{_ENTRY}{_OF_PERSON}
  and ($3::bigint is null or "offset" < $3) and (not $4 or read_at is null) and (archived_at is not null) = $5
  and ($6::timestamptz is null or created_at > $6) and ($7::timestamptz is null or created_at < $7)
order by "offset" desc limit $8
"""


async def unread(connection: Connection, person: Person) -> int:
    """How many entries are neither read nor archived yet."""
    n: int = await connection.fetchval(f"select count(*) from inbox{_OF_PERSON}{_UNREAD}", *person)
    return n


async def oldest_unread(connection: Connection, person: Person, through: int, limit: int) -> list[Entry]:
    """What this person has not read yet, the oldest first, up to this offset."""
    sql = f'{_ENTRY}{_OF_PERSON}{_UNREAD} and "offset" <= $3 order by "offset" limit $4'
    return [Entry(*row.values()) for row in await connection.fetch(sql, *person, through, limit)]


async def entry(connection: Connection, person: Person, id: UUID) -> Entry | None:
    """One entry that is shown to this person."""
    row = await connection.fetchrow(f"{_ENTRY}{_OF_PERSON} and id = $3", *person, id)
    return Entry(*row.values()) if row else None


async def shown(connection: Connection, ids: Collection[UUID]) -> list[Entry]:
    """What was shown of these notifications, to whomever; what was recalled as well."""
    rows = await connection.fetch(f'{_ENTRY} where id = any($1::uuid[]) and "offset" is not null order by id', ids)
    return [Entry(*row.values()) for row in rows]


async def members(
    connection: Connection, tenant: str, group: str, owner: str | None, after: UUID | None, limit: int
) -> list[UUID]:
    """Which entries of this group are shown, by id; `owner` None: whoever sent them."""
    rows = await connection.fetch(_MEMBERS, tenant, group, owner, after, limit)
    return [row["id"] for row in rows]


_MEMBERS: Final = """
select id from inbox
where tenant = $1 and group_name = $2 and "offset" is not null and recalled_at is null
  and ($3::text is null or owner = $3) and ($4::uuid is null or id > $4)
order by id limit $5
"""


async def mark(connection: Connection, changes: Sequence[e.InboxChanged], mark: Mark) -> None:
    """These were read, or whatever the mark says; and all that `record` does, in the same statement."""
    value = None if mark in UNDONE else changes[0].at
    written = f"written as (update inbox i set {_MARKS[mark]}, changed = g.place from g where i.id = g.id),"
    await connection.execute(_RECORD.format(written=written), *_columns(changes), FIRST_LOOK, value)


async def record(connection: Connection, changes: Sequence[e.InboxChanged]) -> None:
    """These changes are steps of their persons' streams, whose counters go on to there; their events are kept until
    Kafka has them. The offsets were taken behind the lock of `lock_people`."""
    await connection.execute(_RECORD.format(written=""), *_columns(changes), FIRST_LOOK)


def _columns(changes: Iterable[e.InboxChanged]) -> list[Sequence[Any]]:
    rows = [(one.id, one.ce_id, one.tenant, one.user_id, one.offset, one.change, one.at, _said(one)) for one in changes]
    return columns(rows, 8)


def _said(change: e.InboxChanged) -> str:
    return change.model_dump_json(exclude_none=True)


_CHANGES: Final = given(
    id="uuid",
    command="uuid",
    tenant="text",
    user_id="text",
    place="bigint",
    change="text",
    at="timestamptz",
    event="text",
)

_RECORD: Final = f"""
with g as materialized (select * from {_CHANGES} g),
{{written}}
counted as (
    update people p set last_offset = s.last
    from (select tenant, user_id, max(place) as last from g group by tenant, user_id) s
    where p.tenant = s.tenant and p.user_id = s.user_id
), noted as (
    insert into inbox_changes (tenant, user_id, "offset", id, change, at)
    select tenant, user_id, place, id, change, at from g
)
insert into outbox (id, command, kind, tenant, topic, event, accepted_at, next_at)
select id, command, 'inbox', tenant, '{topics.SENT.name}', event, at, clock_timestamp() + make_interval(secs => $9)
from g on conflict do nothing
"""

_MARKS: Final[dict[Mark, str]] = {
    "read": "read_at = $10",
    "unread": "read_at = $10",
    "archived": "archived_at = $10",
    "unarchived": "archived_at = $10",
    "recalled": "recalled_at = $10, title = null, body = null, data = null",
}


async def rewrite(connection: Connection, rows: Iterable[tuple[Placed, Words]]) -> None:
    """These say something else from now on, at these offsets of their persons' streams."""
    await connection.execute(_REWRITE, *columns(((*placed, *_texts(words)) for placed, words in rows), 5))


def _texts(words: Words) -> tuple[str | None, str | None, str | None]:
    data = None if words.data is None else to_json({"data": words.data}).decode()
    return words.title, words.body, data


_REWRITE: Final = f"""
update inbox i
set title = g.title, body = g.body, data = g.data, version = i.version + 1, changed = g.changed
from {given(id="uuid", changed="bigint", title="text", body="text", data="text")} g where i.id = g.id
"""
