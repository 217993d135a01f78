"""The figures: one's own, and all of a tenant's with the proof that nothing is lost."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from services.gateway.http.access.auth import check_admin
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems
from services.gateway.http.operations import figures
from services.gateway.rules.trust import Caller
from services.gateway.store import reading, reconciling
from services.gateway.store.recent import recent


def router(desk: Desk) -> APIRouter:
    """The routes of the figures."""
    routes = APIRouter(prefix="/v1", tags=["figures"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("/stats", response_model=figures.Stats, responses=problems(503))
    async def own(caller: Known) -> Response:
        """What became of what you asked for."""
        async with desk.front.connection() as connection:
            return figures.stats(await reading.figures_of_owner(connection, caller.tenant, caller.owner)).response()

    @routes.get("/admin/stats", response_model=figures.Stats, responses=problems(403, 503))
    async def all_of_tenant(caller: Known) -> Response:
        """What became of everything, and how the newest of it fared. In a healthy house `accepted` = `final` + `open`,
        and nobody is `lost`."""
        check_admin(caller)
        async with desk.front.connection() as connection:
            found = await reading.figures_of_tenant(connection, caller.tenant)
            lost = await reconciling.noted(connection)
            lone = await reading.is_the_only_tenant(connection, caller.tenant)
            newest = await recent(connection, caller.tenant)
        return figures.stats(found, lost, whole=lone, newest=newest).response()

    return routes
