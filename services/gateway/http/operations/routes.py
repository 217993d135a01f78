"""For those who run the installation: what jobs there are, running one now, and who is alive."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic_core import from_json
from starlette.responses import Response

from contracts import events as e
from contracts.jobs import JOBS, Job, State, altogether
from kit.bus.publisher import PublishFailed
from kit.bus.record import Outgoing
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems
from services.gateway.http.ids import id_of, new_id
from services.gateway.http.problems import Problem, forbidden, not_found, unavailable
from services.gateway.http.shape import Shape
from services.gateway.rules.trust import Caller
from services.gateway.store import operations
from services.gateway.store.operations import Answer, Instance, Run

SILENT_AFTER: Final = 20.0
"""Seconds without a word, of which there should be one every five, until a process counts as silent."""
FORGOTTEN_AFTER: Final = 3600.0
"""Seconds for which a process that is silent or has stopped is still shown."""


class JobShown(Shape):
    """A job: what it does, who does it, when it last ran and will run next; without `next_run` only by hand."""

    id: str
    description: str
    services: tuple[str, ...]
    status: State
    last_run: datetime | None = None
    duration_seconds: float | None = None
    next_run: datetime | None = None
    last_result: dict[str, Any] | None = None
    schedule: str | None = None
    time_zone: str | None = None


class JobList(Shape):
    """All of them."""

    items: tuple[JobShown, ...]


class Part(Shape):
    """What one service has answered about its part of a run."""

    state: State
    instance: str | None = None
    at: datetime | None = None
    result: dict[str, Any] | None = None


class RunShown(Shape):
    """A run, and each owner's part in it; `failed` when one of them failed. `duration_seconds`: of the owner that took
    longest. `deleted_count`: notifications that a clean-up has deleted; its other rows are in the parts."""

    run_id: UUID
    job: str
    state: State
    asked_by: str | None = None
    asked_at: datetime
    ended_at: datetime | None = None
    duration_seconds: float | None = None
    deleted_count: int | None = None
    results: dict[str, Part]


class Timers(Shape):
    """Of one kind: how many wait for their time, and how many are more than a second late."""

    pending: int
    overdue: int


class ServiceShown(Shape):
    """A process of a service: `alive`, `silent` (it has said nothing for a while) or `stopped`. `degraded`: why it does
    not do all it should, such as `catching_up` after a restore: no timer fires. `archive`: the name of the folder that
    a gateway archives to, which should be the same for all."""

    service: str
    instance: str
    state: str
    heard_at: datetime
    pid: int | None = None
    version: str | None = None
    started_at: datetime | None = None
    uptime_seconds: float | None = None
    running: tuple[str, ...] = ()
    ready: bool | None = None
    not_ready: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()
    archive: str | None = None
    timers: dict[str, Timers] | None = None


class ServiceList(Shape):
    """All that were heard of lately."""

    items: tuple[ServiceShown, ...]


def router(desk: Desk) -> APIRouter:
    """The routes of the operators."""
    routes = APIRouter(prefix="/v1/admin", tags=["operations"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("/jobs", response_model=JobList, responses=problems(403, 503))
    async def jobs(caller: Known) -> Response:
        """What can be run, when it last ran, and when it will run by itself."""
        check_operator(caller)
        return JobList(items=await all_jobs(desk)).response()

    @routes.post(
        "/jobs/{id}/run", response_model=RunShown, responses={202: {"model": RunShown}, **problems(403, 404, 503)}
    )
    async def run(caller: Known, id: str) -> Response:
        """Run it now. 200 with what came of it, or 202 when that takes longer than five seconds."""
        check_operator(caller)
        shown = await run_now(desk, caller, id)
        where = {"Location": f"/v1/admin/jobs/{id}/runs/{shown.run_id}"}
        return shown.response(HTTPStatus.OK if has_ended(shown) else HTTPStatus.ACCEPTED, where)

    @routes.get("/jobs/{id}/runs/{run_id}", response_model=RunShown, responses=problems(403, 404, 503))
    async def see(caller: Known, id: str, run_id: str) -> Response:
        """What has come of a run."""
        check_operator(caller)
        job, named = known(id), id_of(run_id)
        shown = await run_of(desk, job, named) if named else None
        if shown is None:
            raise not_found("run of this job")
        return shown.response()

    @routes.get("/services", response_model=ServiceList, responses=problems(403, 503))
    async def services(caller: Known) -> Response:
        """Who is alive, where, since when, and what it is doing; a scheduler also what waits for its time."""
        check_operator(caller)
        return ServiceList(items=await all_services(desk)).response()

    return routes


def check_operator(caller: Caller) -> None:
    """Raises Problem 403 for everybody but an admin of the tenant `default`: what is here belongs to all tenants."""
    if not caller.is_operator:
        raise forbidden("operators_only", "this needs the role admin in the tenant default")


def known(id: str) -> Job:
    """The job of that name. Raises Problem 404 that names the known ones."""
    if job := JOBS.get(id):
        return job
    raise Problem(HTTPStatus.NOT_FOUND, "not_found", f"there is no such job; there are: {', '.join(JOBS)}")


async def all_jobs(desk: Desk) -> tuple[JobShown, ...]:
    """Each job with what the scheduler last said of it."""
    async with desk.front.connection() as connection:
        told = await operations.jobs(connection)
    return tuple(_job(job, from_json(told.get(job.id, "{}"))) for job in JOBS.values())


async def all_services(desk: Desk) -> tuple[ServiceShown, ...]:
    """Each process that was heard of lately."""
    async with desk.front.connection() as connection:
        found = await operations.instances(connection, FORGOTTEN_AFTER)
    return tuple(_service(one, age) for one, age in found)


async def run_now(desk: Desk, caller: Caller, id: str) -> RunShown:
    """Orders the run, and what has come of it when it ended or the patience was over. Raises Problem 404, 503."""
    return await ordered(desk, caller, known(id), new_id(), {"asked_by": caller.owner})


async def ordered(desk: Desk, caller: Caller, job: Job, run_id: UUID, args: dict[str, Any]) -> RunShown:
    """The same for whatever is answered like a job. Raises Problem 503."""
    async with desk.front.connection() as connection:
        await operations.ask(connection, run_id, job.id, caller.owner)
    try:
        order = e.Control(correlation_id=run_id, command=job.id, args=args)
        await desk.publisher.publish([Outgoing.of(order)])
    except PublishFailed:
        raise unavailable("Kafka", seconds=5) from None
    if ended := await desk.until(lambda: _ended(desk, job, run_id)):
        return ended
    shown = await run_of(desk, job, run_id)
    if shown is None:
        raise not_found("run of this job")
    return shown


async def run_of(desk: Desk, job: Job, run_id: UUID) -> RunShown | None:
    """A run of this job, if there is such a one."""
    async with desk.front.connection() as connection:
        found = await operations.run(connection, run_id)
    return _run(job, found) if found and found.job == job.id else None


def has_ended(run: RunShown) -> bool:
    """Whether all who own a part of it have answered."""
    return run.ended_at is not None


async def _ended(desk: Desk, job: Job, run_id: UUID) -> RunShown | None:
    shown = await run_of(desk, job, run_id)
    return shown if shown and has_ended(shown) else None


def _run(job: Job, found: Run) -> RunShown:
    parts = {answer.service: _part(answer) for answer in found.answers}
    results = {owner: parts.get(owner, Part(state="waiting")) for owner in job.owners}
    state = altogether(job, {owner: part.state for owner, part in results.items()})
    ended = state in ("done", "failed")
    return RunShown(
        run_id=found.run_id,
        job=job.id,
        state=state,
        asked_by=found.asked_by,
        asked_at=found.asked_at,
        ended_at=max((answer.at for answer in found.answers), default=None) if ended else None,
        duration_seconds=max(_figures(results, "seconds"), default=None) if ended else None,
        deleted_count=sum(deleted) if (deleted := _figures(results, "deleted_count")) else None,
        results=results,
    )


def _figures(results: Mapping[str, Part], name: str) -> list[Any]:
    """What the parts say under this name, as far as they do."""
    return [part.result[name] for part in results.values() if part.result and name in part.result]


def _part(answer: Answer) -> Part:
    return Part.model_validate(
        {"state": answer.state, "instance": answer.instance, "at": answer.at, "result": from_json(answer.result)}
    )


def _job(job: Job, told: Mapping[str, Any]) -> JobShown:
    about = {name: told[name] for name in JobShown.model_fields if name in told}
    known_of = {"id": job.id, "description": job.sentence, "services": job.owners}
    return JobShown.model_validate({"status": "waiting"} | about | known_of)


def _service(one: Instance, age: float) -> ServiceShown:
    state = "silent" if one.state == "alive" and age > SILENT_AFTER else one.state
    about = from_json(one.about)
    told = {name: about[name] for name in ServiceShown.model_fields if name in about}
    said = {"service": one.service, "instance": one.name, "state": state, "heard_at": one.heard_at}
    return ServiceShown.model_validate(told | said)
