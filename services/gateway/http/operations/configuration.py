"""The settings in force, for operators; secrets are `***`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from kit.settings import masked
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems
from services.gateway.http.operations.routes import check_operator
from services.gateway.rules.trust import Caller


def router(desk: Desk) -> APIRouter:
    """The route of the configuration; it is changed where it is written, and by a restart."""
    routes = APIRouter(prefix="/v1/admin/configuration", tags=["operations"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("", responses=problems(403))
    async def see(caller: Known) -> dict[str, Any]:
        """What is in force on this gateway, from the file and the environment together, by the names of the file."""
        check_operator(caller)
        return masked(desk.settings)

    return routes
