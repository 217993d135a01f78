"""`/admin/notifications/`: run, count and look, in the words of the old pages."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from contracts.jobs import State
from kit.settings import masked
from kit.settings.providers import ProviderSection
from services.gateway.http.compat import words
from services.gateway.http.compat.words import Counted, counted, total
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems
from services.gateway.http.operations import figures
from services.gateway.http.operations import routes as operations
from services.gateway.http.operations.providers import TRIAL_PATIENCE, OrderShown, ordered
from services.gateway.http.operations.routes import all_jobs, check_operator, has_ended, run_now
from services.gateway.rules.trust import Caller
from services.gateway.store import reading

PROCESS: Final = "process_notifications"
SETTLE_SECONDS: Final = 2.0
"""So long the answer to "process what waits" waits for the senders."""
STATES: Final[dict[State, str]] = {
    "waiting": "en_attente",
    "running": "en_cours",
    "done": "terminé",
    "failed": "échoué",
}


class Processed(words.Whole):
    """What was due when it was asked for, and what became of notifications meanwhile."""

    traitees: int
    envoyees: int
    echouees: int
    restantes: int


class Performance(words.Whole):
    """How the last look for what is due went, and who is at work."""

    derniere_duree_secondes: float | None
    prochain_passage: datetime | None
    services_actifs: int


class Dispatcher(words.Whole):
    """All notifications of the tenant."""

    en_attente: int
    envoyees: int
    echouees: int
    par_type: dict[str, Counted]
    dernier_passage: datetime | None
    performance: Performance


class Task(words.Whole):
    """A job of the scheduler."""

    id: str
    statut: str
    derniere_execution: datetime | None
    prochaine_execution: datetime | None


class Scheduler(words.Whole):
    """Whether one is alive, and its jobs."""

    actif: bool
    jobs: tuple[Task, ...]


class Connection(words.Whole):
    """Whether a channel's messages can be handed over now, and what each provider said."""

    ok: bool
    detail: str


class Connections(words.Whole):
    """Both channels of the old systems."""

    email: Connection
    sms: Connection


class Triggered(words.Whole):
    """What came of a job that was run by hand."""

    job_id: str
    statut: str
    resultat: dict[str, Any] | None


def router(desk: Desk) -> APIRouter:
    """The routes of those who run the installation."""
    routes = APIRouter(prefix="/admin/notifications", tags=["compat"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.post("/traiter-en-attente", response_model=Processed, responses=problems(403, 503))
    async def process(caller: Known) -> Response:
        """Traiter les notifications en attente. They are sent without it, too."""
        check_operator(caller)
        before = await _stats(caller)
        run = await run_now(desk, caller, PROCESS)
        fired = sum(int((part.result or {}).get("fired", 0)) for part in run.results.values())

        async def settled() -> figures.Stats | None:
            stats = await _stats(caller)
            return stats if stats.reconciliation.final - before.reconciliation.final >= fired else None

        after = await desk.until(settled, SETTLE_SECONDS) or await _stats(caller)
        return Processed(
            traitees=fired,
            envoyees=max(total(after, words.SENT) - total(before, words.SENT), 0),
            echouees=max(total(after, words.FAILED) - total(before, words.FAILED), 0),
            restantes=total(after, words.WAITING),
        ).response()

    @routes.get("/statistiques-dispatcher", response_model=Dispatcher, responses=problems(403, 503))
    async def dispatcher(caller: Known) -> Response:
        """Stats du dispatcher."""
        check_operator(caller)
        stats = await _stats(caller)
        (look,) = [job for job in await all_jobs(desk) if job.id == PROCESS]
        return Dispatcher(
            en_attente=total(stats, words.WAITING),
            envoyees=total(stats, words.SENT),
            echouees=total(stats, words.FAILED),
            par_type=counted(stats),
            dernier_passage=look.last_run,
            performance=Performance(
                derniere_duree_secondes=look.duration_seconds,
                prochain_passage=look.next_run,
                services_actifs=len({one.service for one in await _alive()}),
            ),
        ).response()

    @routes.get("/test-connexions", response_model=Connections, responses=problems(403, 503))
    async def try_out(caller: Known) -> Response:
        """Tester les connexions: each provider is tried out, and nothing is sent."""
        return await _tried(caller)

    @routes.post("/test-connexions", response_model=Connections, responses=problems(403, 503))
    async def try_out_by_post(caller: Known) -> Response:
        """The same: that page's own curl line asks so."""
        return await _tried(caller)

    @routes.get("/configuration", responses=problems(403))
    async def configuration(caller: Known) -> dict[str, Any]:
        """Configuration complète: what is in force, secrets masked."""
        check_operator(caller)
        return masked(desk.settings)

    @routes.get("/scheduler/status", response_model=Scheduler, responses=problems(403, 503))
    async def status(caller: Known) -> Response:
        """Statut du planificateur."""
        check_operator(caller)
        enabled = desk.settings.notifications.scheduler.enabled and any(
            one.service == "scheduler" for one in await _alive()
        )
        return Scheduler(actif=enabled, jobs=tuple(map(_task, await all_jobs(desk)))).response()

    @routes.post("/scheduler/trigger/{job_id}", response_model=Triggered, responses=problems(403, 404, 503))
    async def trigger(caller: Known, job_id: str) -> Response:
        """Déclencher une tâche: 200 with what came of it, 202 when that takes longer than five seconds."""
        check_operator(caller)
        run = await run_now(desk, caller, job_id)
        parts = {service: part.result for service, part in run.results.items() if part.result is not None}
        only = next(iter(parts.values())) if len(run.results) == 1 and parts else parts or None
        if only is not None and run.deleted_count is not None:
            only = {"deleted_count": run.deleted_count, "duree_secondes": run.duration_seconds} | only
        told = Triggered(job_id=job_id, statut=STATES[run.state], resultat=only)
        return told.response(HTTPStatus.OK if has_ended(run) else HTTPStatus.ACCEPTED)

    async def _tried(caller: Caller) -> Response:
        check_operator(caller)
        email, sms = await asyncio.gather(
            _channel(caller, desk.settings.email_providers), _channel(caller, desk.settings.sms_providers)
        )
        return Connections(email=email, sms=sms).response()

    async def _channel(caller: Caller, those: Sequence[ProviderSection]) -> Connection:
        """One that works is enough: the others are what fails over to it."""
        orders = (ordered(desk, caller, one.name, "test", TRIAL_PATIENCE) for one in those)
        told = [(one.provider, *_outcome(one)) for one in await asyncio.gather(*orders)]
        return Connection(
            ok=any(ok for _, ok, _ in told), detail="; ".join(f"{name}: {detail}" for name, _, detail in told)
        )

    async def _stats(caller: Caller) -> figures.Stats:
        async with desk.front.connection() as connection:
            return figures.stats(await reading.figures_of_tenant(connection, caller.tenant))

    async def _alive() -> list[operations.ServiceShown]:
        return [one for one in await operations.all_services(desk) if one.state == "alive"]

    return routes


def _outcome(order: OrderShown) -> tuple[bool, str]:
    if order.state not in ("done", "failed"):
        return False, f"no {order.channel} sender answers: is it running?"
    result = order.result or {}
    return bool(result.get("ok")), str(result.get("detail") or result.get("error") or "well")


def _task(job: operations.JobShown) -> Task:
    return Task(
        id=job.id,
        statut=STATES[job.status],
        derniere_execution=job.last_run,
        prochaine_execution=job.next_run,
    )
