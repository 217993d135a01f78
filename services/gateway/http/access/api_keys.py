"""Keys for machines: an admin makes them, sees which there are, and takes them back."""

import os
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from contracts.request import Name, Strict
from kit.clock import utc_now
from services.gateway.http import bodies
from services.gateway.http.access.auth import check_admin
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.ids import id_of, new_id
from services.gateway.http.notifications.filters import After
from services.gateway.http.parameters import cursor, instant
from services.gateway.http.problems import invalid, not_found
from services.gateway.http.shape import Shape
from services.gateway.rules import keys
from services.gateway.rules.keys import Scope
from services.gateway.rules.trust import Caller
from services.gateway.store import keys as store
from services.gateway.store.keys import Key

EXAMPLE: Final = {"name": "billing", "scopes": ["send", "read"], "expires_at": "2028-01-01T00:00:00Z"}


class KeyRequest(Strict):
    """Who it is for, and what it opens. Keys of one name are one caller: what one has sent, the next one may read."""

    name: Name
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=len(keys.SCOPES))]
    expires_at: datetime | None = None


class ApiKey(Shape):
    """A key; `shown` are its first characters."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    shown: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


class NewKey(ApiKey):
    """The only time that the key itself is shown: of it only a hash is kept."""

    key: str


class KeyPage(Shape):
    """The newest first."""

    items: tuple[ApiKey, ...]
    next: str | None = None


def router(desk: Desk) -> APIRouter:
    """The routes of a tenant's keys."""
    routes = APIRouter(prefix="/v1/admin/api-keys", tags=["access"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("", response_model=KeyPage, responses=problems(403, 422, 503))
    async def find(
        caller: Known, after: After = None, limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = 50
    ) -> Response:
        """The tenant's keys, revoked ones too; the keys themselves nobody can see."""
        check_admin(caller)
        async with desk.front.connection() as connection:
            found = await store.page(connection, caller.tenant, cursor("after", after, "next"), limit + 1)
        following = str(found[limit - 1].id) if len(found) > limit else None
        return KeyPage(items=tuple(ApiKey(**_shown(key)) for key in found[:limit]), next=following).response()

    @routes.post(
        "",
        status_code=HTTPStatus.CREATED,
        response_model=NewKey,
        responses=problems(403, 413, 422, 503),
        openapi_extra=takes(KeyRequest, EXAMPLE),
    )
    async def make(request: Request, caller: Known) -> Response:
        """Make a key for a program. It is good at once, and shown this once: `Authorization: Bearer tk_...`."""
        check_admin(caller)
        asked = await bodies.model(request, KeyRequest, desk.limits.notification_bytes)
        expires = instant("expires_at", asked.expires_at)
        if expires is not None and expires <= utc_now():
            raise invalid([("expires_at", "lies in the past")])
        key = keys.made(os.urandom(keys.SECRET_BYTES))
        scopes = [scope for scope in keys.SCOPES if scope in asked.scopes]
        about = (caller.tenant, asked.name, key[: keys.SHOWN], scopes, caller.owner, expires)
        async with desk.front.connection() as connection:
            made = await store.add(connection, new_id(), keys.digest(key), about)
        where = {"Location": f"/v1/admin/api-keys/{made.id}"}
        return NewKey(**_shown(made), key=key).response(HTTPStatus.CREATED, where)

    @routes.delete("/{id}", status_code=HTTPStatus.NO_CONTENT, responses=problems(403, 404, 503))
    async def revoke(caller: Known, id: str) -> Response:
        """Take it back: it opens nothing here from now on, and nothing on any other gateway after two seconds."""
        check_admin(caller)
        named = id_of(id)
        async with desk.front.connection() as connection:
            hash = await store.revoke(connection, caller.tenant, named) if named else None
        if hash is None:
            raise not_found("API key")
        desk.tokens.forget(hash)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return routes


def _shown(key: Key) -> dict[str, object]:
    return {name: getattr(key, name) for name in ApiKey.model_fields if name != "id"} | {"id": str(key.id)}
