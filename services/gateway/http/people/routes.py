"""All about one person, for the admins of a tenant: export it, or have it forgotten by every service."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints, field_validator
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from contracts import addresses
from contracts.erasure import FORGET
from contracts.request import Strict
from services.gateway.http import bodies
from services.gateway.http.access.auditing import remark
from services.gateway.http.access.auth import check_admin
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.ids import id_of
from services.gateway.http.notifications import shapes
from services.gateway.http.operations.routes import Part, RunShown, has_ended, run_of
from services.gateway.http.people.erasing import Erasure, erase
from services.gateway.http.people.exporting import exported
from services.gateway.http.people.recipients import UserId
from services.gateway.http.problems import not_found
from services.gateway.http.shape import Shape
from services.gateway.rules.trust import Caller
from services.gateway.store import people

Address = Annotated[str, StringConstraints(min_length=3, max_length=320)]

MOST_ADDRESSES: Final = 20


class EraseRequest(Strict):
    """Addresses beside those of the directory, at which the person was written to as well: older ones, for example."""

    addresses: Annotated[tuple[Address, ...], Field(max_length=MOST_ADDRESSES)] = ()

    @field_validator("addresses")
    @classmethod
    def _each(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            (addresses.email if "@" in text else addresses.phone)(text)
        return texts


class ErasureShown(Shape):
    """What each service has forgotten, as counts; `done` when all have."""

    run_id: str
    user_id: str
    state: str
    asked_by: str | None = None
    asked_at: str
    ended_at: str | None = None
    results: dict[str, Part]


class Export(Shape):
    """Everything that is kept about the person."""

    user_id: str
    recipient: dict[str, Any] | None = None
    preferences: dict[str, Any]
    deadlines: tuple[dict[str, Any], ...]
    schedules: tuple[dict[str, Any], ...]
    inbox: tuple[dict[str, Any], ...]
    archived: tuple[dict[str, Any], ...]
    damaged: tuple[str, ...]
    """Days of the archive whose files cannot be read: what they hold of the person is missing here."""
    notifications: tuple[shapes.Notification, ...]


def router(desk: Desk) -> APIRouter:
    """The routes about people."""
    routes = APIRouter(prefix="/v1/admin/people/{user_id}", tags=["people"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("/export", response_model=Export, responses=problems(403, 422, 503))
    async def export(
        caller: Known,
        user_id: UserId,
        address: Annotated[
            list[Address], Query(max_length=MOST_ADDRESSES, description="Addresses beside those of the directory.")
        ] = [],  # noqa: B006
    ) -> Response:
        """All that is kept about a person, in one document: the entry in the directory, preferences, deadlines,
        schedules, inbox, what was cleaned up and archived, and every notification with its timeline, also those to the
        person's addresses alone."""
        check_admin(caller)
        parts: AsyncIterator[bytes] = await exported(desk, caller.tenant, user_id, address)
        name = {"Content-Disposition": 'attachment; filename="export.json"'}
        return StreamingResponse(parts, media_type="application/json", headers=name)

    @routes.post(
        "/erase",
        response_model=ErasureShown,
        responses={202: {"model": ErasureShown}, **problems(403, 413, 422, 503)},
        openapi_extra=takes(EraseRequest, {"addresses": ["bounce@simulator.test"]}),
    )
    async def forget(request: Request, caller: Known, user_id: UserId) -> Response:
        """Forget a person: what is open is cancelled, contents and addresses are blanked in every service, ids and
        outcomes stay. 200 with what each service has forgotten, or 202 when that takes longer than five seconds."""
        check_admin(caller)
        asked = await bodies.model(request, EraseRequest, desk.limits.notification_bytes)
        run = await erase(desk, caller, Erasure(caller.tenant, user_id, asked.addresses))
        where = {"Location": f"/v1/admin/people/{user_id}/erasures/{run.run_id}"}
        remark(request, where["Location"])
        return _shown(user_id, run).response(HTTPStatus.OK if has_ended(run) else HTTPStatus.ACCEPTED, where)

    @routes.get("/erasures/{run_id}", response_model=ErasureShown, responses=problems(403, 404, 422, 503))
    async def see(caller: Known, user_id: UserId, run_id: str) -> Response:
        """What has come of it."""
        check_admin(caller)
        named = id_of(run_id)
        async with desk.front.connection() as connection:
            known = named is not None and await people.is_erasure(connection, named, caller.tenant, user_id)
        run = await run_of(desk, FORGET, named) if known and named else None
        if run is None:
            raise not_found("erasure of this person")
        return _shown(user_id, run).response()

    return routes


def _shown(user_id: str, run: RunShown) -> ErasureShown:
    told = run.model_dump(mode="json", exclude={"job", "duration_seconds", "deleted_count"}, exclude_none=True)
    return ErasureShown.model_validate(told | {"user_id": user_id})
