"""Finding notifications again, the newest first: each search walks along an index, and stops when its page is full."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from contracts.status import Status
from kit.postgres import Connection
from services.gateway.rules.search import MARKED, STATUS
from services.gateway.rules.stored import Stored
from services.gateway.store.reading import STORED


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to. `words` are (key, value) pairs of `finds`; `after` is a place, as in `next`.

    `ended_since`: it came to one of `statuses` then or later, whenever it was accepted.
    """

    statuses: tuple[Status, ...] = ()
    channel: str | None = None
    reason: str | None = None
    user_id: str | None = None
    group: str | None = None
    words: tuple[tuple[str, str], ...] = ()
    after: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    ended_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose list it is: all of a tenant, or what one made and what is addressed to one."""

    tenant: str
    owner: str | None = None
    user_id: str | None = None


class Statement(NamedTuple):
    """SQL and its parameters."""

    sql: str
    values: list[Any]


async def page(connection: Connection, reader: Reader, narrowed: Filter, limit: int) -> list[Stored]:
    """The newest first. A person's list is what he made and what is addressed to him: two walks along an index."""
    sql, values = statement(reader, narrowed, limit)
    return [Stored(*row.values()) for row in await connection.fetch(sql, *values)]


def statement(reader: Reader, narrowed: Filter, limit: int) -> Statement:
    """What `page` asks."""
    query = _Query(narrowed, limit)
    query.where("n.tenant = {}", reader.tenant)
    query.where("n.channels is null")
    query.narrow()
    own = [("owner", reader.owner), ("user_id", reader.user_id)] if reader.owner is not None else [None]
    walks = [query.walk(one, word) for one in own for word in query.beginnings()]
    union = " union ".join(f"({walk})" for walk in walks)
    sql = f"{STORED} where id in (select id from ({union}) walks order by place desc limit {limit}) order by place desc"
    return Statement(sql, query.values)


@dataclass(slots=True)
class _Query:
    """Conditions with their values, in the order of $1, $2, ..."""

    by: Filter
    limit: int
    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def where(self, condition: str, *values: Any) -> None:
        self.conditions.append(condition.format(*(self._parameter(value) for value in values)))

    def narrow(self) -> None:
        """All that holds for every walk. A place is named by {at}: the walk says whose."""
        by = self.by
        for column in ("channel", "reason", "user_id"):
            if (value := getattr(by, column)) is not None:
                self.where(f"n.{column} = {{}}", value)
        if by.group is not None:
            self.where("n.group_name = {}", by.group)
        if by.statuses:
            self.where("n.rank = any({}::smallint[])", [status.rank for status in by.statuses])
        for sign, at in ((">=", by.created_after), ("<", by.created_before)):
            if at is not None:
                self.where(f"{{{{at}}}} {sign} place_of({{}}, {{}})", at, UUID(int=0))
        if by.after is not None:
            self.where("{{at}} < {}", by.after)
        for word in by.words[1:]:
            self.where(_FOUND_TOO, *word)
        if by.ended_since is not None:
            self.where(_ENDED_SINCE, list(by.statuses), by.ended_since)

    def beginnings(self) -> Iterator[tuple[str, str] | None]:
        """The words that the walks begin with: the rarest there is. None: the notifications themselves.

        A status that most have is no word; nor are statuses needed where a person or a group names a few already.
        """
        by = self.by
        if by.words:
            yield by.words[0]
        elif by.statuses and MARKED.issuperset(by.statuses) and by.user_id is None and by.group is None:
            yield from ((STATUS, status) for status in by.statuses)
        else:
            yield None

    def walk(self, own: tuple[str, str | None] | None, word: tuple[str, str] | None) -> str:
        """The newest of one person (or all), among what is found under a word (or all)."""
        at = "f.place" if word else "n.place"
        wanted = [condition.format(at=at) for condition in self.conditions]
        source = "notifications n"
        if word:
            source = "finds f join notifications n on n.tenant = f.tenant and n.place = f.place"
            key, value = map(self._parameter, word)
            wanted += [f"f.value = {value}", f"f.key = {key}", "f.tenant = $1"]
        if own:
            wanted.append(f"n.{own[0]} = {self._parameter(own[1])}")
        chosen = f"select n.id, {at} as place from {source} where {' and '.join(wanted)}"
        return f"{chosen} order by {at} desc limit {self.limit}"

    def _parameter(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


_FOUND_TOO = """exists (
    select from finds o where o.value = {1} and o.key = {0} and o.tenant = $1 and o.place = {{at}}
)"""

_ENDED_SINCE = """exists (
    select from timeline t where t.place = {{at}} and t.event = any({0}::text[]) and t.at >= {1}
)"""
