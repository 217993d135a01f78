"""The SQL of the jobs: few rows, a sentence per statement."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic_core import from_json, to_json

from kit.postgres import Connection
from services.scheduler.rules.jobs import Plan, Row


async def prepare(connection: Connection, plans: Mapping[str, Plan | None], now: datetime) -> None:
    """There is a row for each job; where a plan is new or another one, its next instant is computed anew."""
    rows = [(id, _text(plan), plan.after(now) if plan else None) for id, plan in sorted(plans.items())]
    await connection.execute(_PREPARE, *zip(*rows, strict=True))


_PREPARE: Final = """
insert into jobs as j (id, plan, next_run) select * from unnest($1::text[], $2::text[], $3::timestamptz[])
on conflict (id) do update set plan = excluded.plan, next_run = excluded.next_run, untold = true
where j.plan is distinct from excluded.plan
"""


async def due(connection: Connection, now: datetime) -> list[Row]:
    """Jobs whose instant has come, locked; those that another scheduler starts just now are passed over."""
    return [_row(row) for row in await connection.fetch(_DUE, now)]


_DUE: Final = "select * from jobs where next_run <= $1 order by id for update skip locked"


async def begin(connection: Connection, row: Row) -> None:
    """Starts the run of a locked row; its order is still to be said."""
    await connection.execute(_BEGIN, row.id, row.run_id, row.last_run, row.next_run)


_BEGIN: Final = """
update jobs set run_id = $2, last_run = $3, next_run = $4, answers = '{}', unsaid = true, untold = true where id = $1
"""


async def unsaid(connection: Connection) -> list[Row]:
    """Runs whose order Kafka may not have."""
    return [_row(row) for row in await connection.fetch("select * from jobs where unsaid order by id")]


async def said(connection: Connection, rows: Sequence[Row]) -> None:
    """Kafka has the orders of these runs."""
    await connection.execute(_SAID, [row.id for row in rows], [row.run_id for row in rows])


_SAID: Final = """
update jobs set unsaid = false
where (id, run_id) in (select * from unnest($1::text[], $2::uuid[]))
"""


async def lock(connection: Connection, ids: Collection[str]) -> dict[str, Row]:
    """These rows, held until the end of the transaction."""
    found = await connection.fetch("select * from jobs where id = any($1::text[]) order by id for update", list(ids))
    return {row["id"]: _row(row) for row in found}


async def note(connection: Connection, rows: Collection[Row]) -> None:
    """Stores what was heard about these locked rows."""
    for row in rows:
        answers = to_json(dict(row.answers)).decode()
        await connection.execute(_NOTE, row.id, row.run_id, row.last_run, answers)


_NOTE: Final = "update jobs set run_id = $2, last_run = $3, answers = $4, untold = true where id = $1"


async def changed(connection: Connection) -> list[Row]:
    """Rows that have changed since they were last told; from now on they count as told."""
    return [_row(row) for row in await connection.fetch("update jobs set untold = false where untold returning *")]


async def all_of_them(connection: Connection) -> list[Row]:
    """Every job."""
    return [_row(row) for row in await connection.fetch("select * from jobs order by id")]


def _row(row: Any) -> Row:
    return Row(row["id"], row["run_id"], row["last_run"], row["next_run"], from_json(row["answers"]))


def _text(plan: Plan | None) -> str | None:
    return f"{plan.cron} {plan.time_zone}" if plan else None
