"""The SQL of orders and switches, in the schema of whichever service reads them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from pydantic_core import from_json, to_json

from kit.postgres import Connection

Kind = Literal["provider", "channel"]


@dataclass(frozen=True, slots=True)
class Order:
    """Something to do: a command and its arguments, named by its correlation id."""

    correlation_id: UUID
    command: str
    args: dict[str, Any]
    ordered_at: datetime
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """How an order ended, and which instance did it."""

    correlation_id: UUID
    command: str
    instance: str
    state: str
    at: datetime
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Switch:
    """A provider or channel that was paused, or resumed, by hand."""

    kind: Kind
    name: str
    paused: bool
    as_of: datetime
    offset: int


async def write_down(connection: Connection, orders: Collection[Order]) -> None:
    """Keeps these; one that is here already stays as it is, however it ended."""
    if orders:
        rows = [(o.correlation_id, o.command, to_json(o.args).decode(), o.ordered_at) for o in orders]
        await connection.execute(_WRITE_DOWN, *zip(*rows, strict=True))


_WRITE_DOWN: Final = """
insert into orders (correlation_id, command, args, ordered_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
on conflict (correlation_id) do nothing
"""


async def take(connection: Connection, token: UUID, instance: str, lease: float) -> Order | None:
    """The oldest order that nobody runs, ours for `lease` seconds under this token."""
    row = await connection.fetchrow(_TAKE, token, instance, lease)
    if row is None:
        return None
    args = from_json(row["args"])
    return Order(row["correlation_id"], row["command"], args, row["ordered_at"], row["tries"])


_TAKE: Final = """
update orders
set token = $1, instance = $2, taken_until = clock_timestamp() + make_interval(secs => $3), tries = tries + 1
where correlation_id = (
    select correlation_id from orders
    where state is null and (taken_until is null or taken_until < clock_timestamp())
    order by ordered_at limit 1 for update skip locked
)
returning correlation_id, command, args, ordered_at, tries
"""


async def hold(connection: Connection, order: Order, token: UUID, seconds: float) -> bool:
    """Keeps others from it for so long; False when it is not ours any more."""
    return bool(await connection.fetchval(_HOLD, order.correlation_id, token, seconds))


_HOLD: Final = """
update orders set taken_until = clock_timestamp() + make_interval(secs => $3)
where correlation_id = $1 and token = $2 and state is null
returning true
"""


async def give_back(connection: Connection, order: Order, token: UUID) -> None:
    """Whoever comes next may take it at once: that we stop was not its fault."""
    await connection.execute(_GIVE_BACK, order.correlation_id, token)


_GIVE_BACK: Final = """
update orders set taken_until = null, tries = tries - 1
where correlation_id = $1 and token = $2 and state is null
"""


async def end(connection: Connection, order: Order, token: UUID, state: str, result: dict[str, Any]) -> None:
    """Writes down how it ended, to be announced; nothing where somebody else has taken it meanwhile."""
    await connection.execute(_END, order.correlation_id, token, state, to_json(result, fallback=str).decode())


_END: Final = """
update orders set state = $3, result = $4, ended_at = clock_timestamp(), unannounced = true
where correlation_id = $1 and token = $2 and state is null
"""


async def unannounced(connection: Connection, most: int) -> list[Answer]:
    """Orders that have ended, and whose answer Kafka may not have."""
    return [_answer(row) for row in await connection.fetch(_UNANNOUNCED, most)]


_UNANNOUNCED: Final = """
select correlation_id, command, instance, state, ended_at, result from orders
where unannounced order by ended_at limit $1
"""


async def announced(connection: Connection, ids: Sequence[UUID]) -> None:
    """Kafka has their answers."""
    await connection.execute("update orders set unannounced = false where correlation_id = any($1::uuid[])", ids)


async def forget(connection: Connection, days: int, most: int) -> int:
    """Deletes at most so many orders that ended so many days ago; how many they were."""
    return len(await connection.fetch(_FORGET, days, most))


_FORGET: Final = """
delete from orders where ctid = any (array(
    select ctid from orders
    where ended_at < clock_timestamp() - make_interval(days => $1) and not unannounced limit $2
))
returning 1
"""


async def turn(connection: Connection, switches: Collection[Switch]) -> None:
    """Stores the newest position of each of these switches, where it is newer than what is here."""
    newest: dict[tuple[str, str], Switch] = {}
    for one in sorted(switches, key=lambda one: (one.as_of, one.offset)):
        newest[one.kind, one.name] = one
    rows = [(s.kind, s.name, s.paused, s.as_of, s.offset) for _, s in sorted(newest.items())]
    if rows:
        await connection.execute(_TURN, *zip(*rows, strict=True))


_TURN: Final = """
insert into switches as s (kind, name, paused, as_of, "offset")
select * from unnest($1::text[], $2::text[], $3::boolean[], $4::timestamptz[], $5::bigint[])
on conflict (kind, name) do update
set paused = excluded.paused, as_of = excluded.as_of, "offset" = excluded."offset"
where (excluded.as_of, excluded."offset") > (s.as_of, s."offset")
"""


async def paused(connection: Connection) -> frozenset[tuple[str, str]]:
    """The (kind, name) of everything that is paused."""
    rows = await connection.fetch("select kind, name from switches where paused")
    return frozenset((row["kind"], row["name"]) for row in rows)


def _answer(row: Any) -> Answer:
    return Answer(
        row["correlation_id"],
        row["command"],
        row["instance"],
        row["state"],
        row["ended_at"],
        from_json(row["result"]),
    )
