"""To whom nothing is sent any more, as the directory says; what waits for a retry is asked for once more (P5.7)."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import to_json

from contracts import events as e
from contracts.events import Due
from contracts.status import Channel
from contracts.suppression import WHAT, Cause, Suppression, name_of
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message

Name = tuple[str, str]
"""A tenant, and the name of a suppression: "email/2f1e..."."""

UNREADABLE: Final = Suppression(reason=Cause.MANUAL)
"""What cannot be read was meant to stop something."""


class Told(NamedTuple):
    """One state of one suppression; `value` None: lifted."""

    tenant: str
    name: str
    value: str | None
    as_of: datetime
    offset: int


class Suppressed:
    """The handler of a stage on `directory.settings`, for the addresses of one channel."""

    def __init__(self, channel: Channel) -> None:
        self._prefix = f"{channel}/"

    async def hear(self, connection: Connection, messages: Sequence[Message]) -> Sequence[Outgoing]:
        """A batch, in one statement; whatever its order and its repeats."""
        newest: dict[Name, Told] = {}
        for told in filter(None, map(self._told, messages)):
            known = newest.get((told.tenant, told.name))
            if known is None or (known.as_of, known.offset) < (told.as_of, told.offset):
                newest[told.tenant, told.name] = told
        if newest:
            await connection.execute(_PUT, *zip(*sorted(newest.values(), key=lambda told: told[:2]), strict=True))
        return ()

    def _told(self, message: Message) -> Told | None:
        at = message.received.as_of, message.received.offset
        match message.event:
            case e.Setting(id=id) as told if told.what == WHAT and id.startswith(self._prefix):
                return Told(told.tenant, id, None if told.value is None else to_json(told.value).decode(), *at)
            case e.Tombstone(path=path) as gone if path.startswith(f"{WHAT}/{self._prefix}"):
                return Told(gone.tenant, path.removeprefix(f"{WHAT}/"), None, *at)
        return None


def name_for(due: Due) -> Name | None:
    """Under which name its address would be suppressed; None where it has none."""
    if due.channel is None or due.content is None or due.content.to is None:
        return None
    return due.tenant, name_of(due.channel, due.content.to)


async def among(connection: Connection, names: Collection[Name]) -> dict[Name, Suppression]:
    """Those of these that are suppressed."""
    found = await connection.fetch(_AMONG, *(list(column) for column in zip(*sorted(names), strict=True)))
    return {(row["tenant"], row["name"]): _read(row["value"]) for row in found}


def _read(value: str) -> Suppression:
    try:
        return Suppression.model_validate_json(value)
    except ValidationError:
        return UNREADABLE


_PUT: Final = """
insert into suppressed as s (tenant, name, value, as_of, "offset")
select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[])
on conflict (tenant, name) do update set value = excluded.value, as_of = excluded.as_of, "offset" = excluded."offset"
where (s.as_of, s."offset") < (excluded.as_of, excluded."offset")
"""

_AMONG: Final = """
select s.tenant, s.name, s.value
from unnest($1::text[], $2::text[]) as asked (tenant, name)
join suppressed as s on s.tenant = asked.tenant and s.name = asked.name
where s.value is not null
"""
