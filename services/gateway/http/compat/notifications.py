"""`/notifications/`: ask, see and list, in the words of the old pages."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from starlette import requests
from starlette.responses import Response

from contracts.status import Channel
from services.gateway.http import bodies
from services.gateway.http.compat import words
from services.gateway.http.compat.words import CompatNotification, CompatPage, CompatRequest, counted, total
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.notifications import looking, sending
from services.gateway.http.operations import figures
from services.gateway.http.parameters import cursor
from services.gateway.http.problems import Problem
from services.gateway.rules.trust import Caller
from services.gateway.store import reading, searching
from services.gateway.store.searching import Filter, Reader

PATIENCE: Final = 5.0
"""Seconds that the answer waits for the outcome of what is sent at once."""


class Statistics(words.Whole):
    """What became of what one has asked for. (The names have accents because they had them.)"""

    total: int
    en_attente: int
    envoyé: int
    échoué: int
    taux_succes: dict[str, float | None]


def router(desk: Desk) -> APIRouter:
    """The routes for everybody."""
    routes = APIRouter(prefix="/notifications", tags=["compat"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.post(
        "/",
        status_code=HTTPStatus.CREATED,
        response_model=CompatNotification,
        responses=problems(403, 413, 422, 503),
        openapi_extra=takes(CompatRequest, words.EXAMPLE),
    )
    async def create(request: requests.Request, caller: Known) -> Response:
        """Créer une notification. Tocsin's own way is POST /v1/notifications."""
        return await _created(caller, request, 0.0)

    @routes.post(
        "/envoyer-immediatement",
        status_code=HTTPStatus.CREATED,
        response_model=CompatNotification,
        responses=problems(403, 413, 422, 503),
        openapi_extra=takes(CompatRequest, words.EXAMPLE),
    )
    async def send_now(request: requests.Request, caller: Known) -> Response:
        """Envoi immédiat: the urgent lane, and the answer waits up to five seconds for the outcome."""
        return await _created(caller, request, PATIENCE)

    @routes.get("/", response_model=CompatPage, responses=problems(422, 503))
    async def find(
        caller: Known,
        type: Channel | None = None,
        apres: Annotated[str | None, Query(description="The `suivant` of the page before.")] = None,
        limite: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
    ) -> Response:
        """Lister ses notifications: those you asked for and those addressed to you."""
        own = Reader(caller.tenant, caller.owner, caller.sub)
        narrowed = Filter(channel=type, after=cursor("apres", apres, "suivant"))
        async with desk.front.connection() as connection:
            rows = await searching.page(connection, own, narrowed, limite + 1)
            found = await looking.shown(connection, rows[:limite])
        following = str(rows[limite - 1].place) if len(rows) > limite else None
        return CompatPage(notifications=tuple(map(CompatNotification.of, found)), suivant=following).response()

    @routes.get("/statistiques/globales", response_model=Statistics, responses=problems(503))
    async def statistics(caller: Known) -> Response:
        """Statistiques personnelles."""
        async with desk.front.connection() as connection:
            stats = figures.stats(await reading.figures_of_owner(connection, caller.tenant, caller.owner))
        return Statistics(
            total=stats.total,
            en_attente=total(stats, words.WAITING),
            envoyé=total(stats, words.SENT),
            échoué=total(stats, words.FAILED),
            taux_succes={type: of.taux_succes for type, of in counted(stats).items()},
        ).response()

    @routes.get("/{id}", response_model=CompatNotification, responses=problems(404, 503))
    async def see(caller: Known, id: str) -> Response:
        """Détails d'une notification."""
        async with desk.front.connection() as connection:
            row = await looking.readable(connection, caller, id)
            return CompatNotification.of((await looking.shown(connection, [row]))[0]).response()

    async def _created(caller: Caller, request: requests.Request, seconds: float) -> Response:
        asked = await bodies.model(request, CompatRequest, desk.limits.notification_bytes)
        if seconds:
            asked = asked.model_copy(update={"envoyer_immediatement": True})
        try:
            with sending.entry(desk, request) as way:
                key = request.headers.get("idempotency-key")
                accepted = await sending.accept(desk, caller, asked.meant(), key, way.trace)
                way.about(accepted.id)
        except Problem as problem:
            raise words.renamed(problem) from None
        found = await looking.awaited(desk, accepted.id, seconds)
        told = CompatNotification.of(found) if found else CompatNotification.new(asked, accepted)
        return told.response(HTTPStatus.CREATED, {"Location": f"/notifications/{told.id}"})

    return routes
