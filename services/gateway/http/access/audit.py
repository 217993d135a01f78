"""The audit, for the admins of a tenant: who changed what, when, and what came of it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from services.gateway.http.access.auth import check_admin
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems
from services.gateway.http.notifications.filters import After
from services.gateway.http.parameters import cursor, instant
from services.gateway.http.shape import Shape
from services.gateway.rules.trust import Caller
from services.gateway.store import audit
from services.gateway.store.audit import Narrowed


class Deed(Shape):
    """Something that an admin did. Without `status` nobody knows how it ended: the gateway went away over it."""

    id: UUID
    at: datetime
    who: str
    method: str
    path: str
    status: int | None = None
    detail: str | None = None


class DeedPage(Shape):
    """The newest first."""

    items: tuple[Deed, ...]
    next: str | None = None


def router(desk: Desk) -> APIRouter:
    """The route of the audit; there is none that changes it."""
    routes = APIRouter(prefix="/v1/admin/audit", tags=["access"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("", response_model=DeedPage, responses=problems(403, 422, 503))
    async def find(
        caller: Known,
        who: Annotated[str | None, Query(description="As it is shown: `user:alice`.")] = None,
        path: Annotated[str | None, Query(description="How the path begins: `/v1/admin/templates`.")] = None,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Response:
        """What the tenant's admins have changed, and whose data they have exported."""
        check_admin(caller)
        by = Narrowed(
            who,
            path,
            cursor("after", after, "next"),
            instant("created_after", created_after),
            instant("created_before", created_before),
        )
        async with desk.front.connection() as connection:
            found = await audit.page(connection, caller.tenant, by, limit + 1)
        following = str(found[limit - 1].id) if len(found) > limit else None
        return DeedPage(items=tuple(map(_shown, found[:limit])), next=following).response()

    return routes


def _shown(deed: audit.Deed) -> Deed:
    return Deed.model_validate({name: getattr(deed, name) for name in Deed.model_fields})
