"""The lives of alerts that came in, and the hour in which each was told."""

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from kit.postgres import Connection
from services.gateway.rules.alerting import Life

KEPT_DAYS: Final = 30


async def alone(connection: Connection) -> None:
    """Waits until no other gateway gives out places, and keeps them waiting until the transaction ends."""
    await connection.execute("lock table alerts in share row exclusive mode")


async def this_hour(connection: Connection) -> datetime:
    """The hour of clock(), by which places are counted."""
    at: datetime = await connection.fetchval("select date_trunc('hour', clock(), 'UTC')")
    return at


async def known(connection: Connection, lives: Collection[Life]) -> dict[Life, datetime | None]:
    """The hour of each life that was heard of before; None: held back."""
    rows = await connection.fetch(_KNOWN, *_columns(lives))
    return {(row["fingerprint"], row["starts_at"]): row["hour"] for row in rows}


_KNOWN: Final = """
select a.fingerprint, a.starts_at, a.hour
from alerts a join unnest($1::text[], $2::timestamptz[]) as g (fingerprint, starts_at) using (fingerprint, starts_at)
"""


async def taken(connection: Connection, hour: datetime, names: Collection[str]) -> Counter[str]:
    """How many places of this hour are taken, by name."""
    rows = await connection.fetch(
        "select name, count(*) as n from alerts where hour = $1 and name = any($2::text[]) group by name",
        hour,
        list(names),
    )
    return Counter({row["name"]: row["n"] for row in rows})


async def keep(connection: Connection, places: Mapping[Life, datetime | None], names: Mapping[Life, str]) -> None:
    """Notes that these lives were heard of now, and the hour of each."""
    lives = sorted(places)
    fingerprints, starts = _columns(lives)
    hours = [places[life] for life in lives]
    await connection.execute(_KEEP, fingerprints, starts, [names[life] for life in lives], hours)


_KEEP: Final = """
insert into alerts (fingerprint, starts_at, name, hour, heard_at)
select *, clock_timestamp() from unnest($1::text[], $2::timestamptz[], $3::text[], $4::timestamptz[])
on conflict (fingerprint, starts_at) do update set hour = excluded.hour, heard_at = excluded.heard_at
"""


async def forget(connection: Connection) -> int:
    """Deletes lives that nobody has told us of for a month: one that still fires is repeated. How many."""
    gone = await connection.execute(
        "delete from alerts where heard_at < clock_timestamp() - make_interval(days => $1)", KEPT_DAYS
    )
    return int(gone.rpartition(" ")[2])


def _columns(lives: Collection[Life]) -> tuple[list[str], list[datetime]]:
    return [fingerprint for fingerprint, _ in lives], [starts_at for _, starts_at in lives]
