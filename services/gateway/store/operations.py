"""Who is alive, what jobs there are, and what came of their runs: as ops.status told it (P9)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kit.postgres import Connection


@dataclass(frozen=True, slots=True)
class Instance:
    """The last word of a process of a service; `about` is JSON."""

    service: str
    name: str
    state: str
    heard_at: datetime
    about: str


@dataclass(frozen=True, slots=True)
class Told:
    """What the scheduler says of a job; JSON."""

    id: str
    told: str
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered about its part of a run; `result` is JSON."""

    run_id: UUID
    job: str
    service: str
    instance: str
    state: str
    at: datetime
    result: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job, and the answers that have come."""

    run_id: UUID
    job: str
    asked_by: str | None
    asked_at: datetime
    answers: tuple[Answer, ...]


async def note_instances(connection: Connection, instances: Collection[Instance]) -> None:
    """Keeps the newest word of each."""
    newest = {(one.service, one.name): one for one in sorted(instances, key=lambda one: one.heard_at)}
    rows = [(i.service, i.name, i.state, i.heard_at, i.about) for _, i in sorted(newest.items())]
    if rows:
        await connection.execute(_NOTE_INSTANCES, *zip(*rows, strict=True))


_NOTE_INSTANCES: Final = """
insert into instances as i (service, name, state, heard_at, about)
select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
on conflict (service, name) do update
set state = excluded.state, heard_at = excluded.heard_at, about = excluded.about
where excluded.heard_at >= i.heard_at
"""


async def note_jobs(connection: Connection, jobs: Collection[Told]) -> None:
    """Keeps the newest of what the scheduler says of each."""
    newest = {one.id: one for one in sorted(jobs, key=lambda one: one.told_at)}
    rows = [(one.id, one.told, one.told_at) for _, one in sorted(newest.items())]
    if rows:
        await connection.execute(_NOTE_JOBS, *zip(*rows, strict=True))


_NOTE_JOBS: Final = """
insert into jobs as j (id, told, told_at) select * from unnest($1::text[], $2::text[], $3::timestamptz[])
on conflict (id) do update set told = excluded.told, told_at = excluded.told_at
where excluded.told_at >= j.told_at
"""


async def ask(connection: Connection, run_id: UUID, job: str, asked_by: str) -> None:
    """Remembers that somebody wants this job run."""
    await connection.execute(
        "insert into runs (run_id, job, asked_by, asked_at) values ($1, $2, $3, clock_timestamp())",
        run_id,
        job,
        asked_by,
    )


async def note_answers(connection: Connection, answers: Collection[Answer]) -> None:
    """Keeps them; `running` replaces nothing, and an end stays."""
    newest: dict[tuple[UUID, str], Answer] = {}
    for one in answers:
        was = newest.get((one.run_id, one.service))
        if was is None or was.state == "running":
            newest[one.run_id, one.service] = one
    rows = [(a.run_id, a.job, a.service, a.instance, a.state, a.at, a.result) for _, a in sorted(newest.items())]
    if rows:
        ids, jobs, *rest = zip(*rows, strict=True)
        await connection.execute(_NOTE_RUNS, ids, jobs, rest[3])
        await connection.execute(_NOTE_ANSWERS, ids, *rest)


_NOTE_RUNS: Final = """
insert into runs (run_id, job, asked_at)
select distinct on (run_id) * from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as told (run_id, job, at)
order by run_id, at
on conflict (run_id) do nothing
"""

_NOTE_ANSWERS: Final = """
insert into answers as a (run_id, service, instance, state, at, result)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
on conflict (run_id, service) do update
set instance = excluded.instance, state = excluded.state, at = excluded.at, result = excluded.result
where a.state = 'running'
"""


async def run(connection: Connection, run_id: UUID) -> Run | None:
    """One run."""
    row = await connection.fetchrow("select * from runs where run_id = $1", run_id)
    if row is None:
        return None
    found = await connection.fetch("select * from answers where run_id = $1 order by service", run_id)
    answers = tuple(
        Answer(run_id, row["job"], one["service"], one["instance"], one["state"], one["at"], one["result"])
        for one in found
    )
    return Run(run_id, row["job"], row["asked_by"], row["asked_at"], answers)


async def jobs(connection: Connection) -> dict[str, str]:
    """What the scheduler says of each job, by its id; JSON."""
    return {row["id"]: row["told"] for row in await connection.fetch("select id, told from jobs")}


async def instances(connection: Connection, forgotten_after: float) -> list[tuple[Instance, float]]:
    """Each process that was heard of in so many seconds, and how many seconds ago."""
    rows = await connection.fetch(_INSTANCES, forgotten_after)
    return [(Instance(r["service"], r["name"], r["state"], r["heard_at"], r["about"]), r["age"]) for r in rows]


_INSTANCES: Final = """
select *, extract(epoch from clock_timestamp() - heard_at)::float8 as age from instances
where heard_at > clock_timestamp() - make_interval(secs => $1)
order by service, name
"""


async def archives(connection: Connection) -> list[str]:
    """The folders that gateways say they archive to; more than one is one too many."""
    return [row["archive"] for row in await connection.fetch(_ARCHIVES, HEARD_WITHIN)]


HEARD_WITHIN: Final = 20.0
"""Seconds: four heartbeats."""

_ARCHIVES: Final = """
select distinct about::json ->> 'archive' as archive from instances
where service = 'gateway' and state = 'alive' and about::json ->> 'archive' is not null
  and heard_at > clock_timestamp() - make_interval(secs => $1)
"""


async def forget(connection: Connection) -> int:
    """Deletes runs of more than 30 days ago, but no erasures, and processes not heard of for a day; how many runs."""
    await connection.execute("delete from instances where heard_at < clock_timestamp() - interval '1 day'")
    return len(await connection.fetch(_FORGET))


_FORGET: Final = """
delete from runs where asked_at < clock_timestamp() - interval '30 days' and job <> 'forget' returning 1
"""
