"""Plans of reminders, by name: `default` is in force wherever a deadline says nothing else."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response

from contracts import events, plan, topics
from contracts.plan import Plan
from services.gateway.http import bodies
from services.gateway.http.access.auth import check_admin
from services.gateway.http.changing import Changing
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.ids import new_id
from services.gateway.http.problems import not_found
from services.gateway.http.shape import Shape
from services.gateway.rules.trust import Caller
from services.gateway.store.directory import Version

DEFAULT = "default"
EXAMPLE = {"reminders": [{"rule": "day_before", "days": -1, "at": "08:00"}, {"rule": "late", "after_seconds": 0}]}

PlanName = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:@\-]+$")]


class NamedPlan(Shape):
    """A plan; one without `updated_at` is the one that Tocsin brings along."""

    name: str
    reminders: tuple[dict[str, Any], ...]
    updated_at: datetime | None = None


def router(desk: Desk) -> APIRouter:
    """The routes of a tenant's plans: anybody may read, admins change."""
    routes = APIRouter(prefix="/v1/admin/plans", tags=["deadlines"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]
    changing = Changing(desk, topics.SETTINGS)

    @routes.get("/{name}", response_model=NamedPlan, responses=problems(404, 422, 503))
    async def see(caller: Known, name: PlanName) -> Response:
        """A plan as it is in force."""
        version = await changing.known(f"{caller.tenant}/plan/{name}")
        if version is not None and version.value is not None:
            return _shown(name, version).response()
        if name != DEFAULT:
            raise not_found("plan")
        return _shape(name, plan.DEFAULT).response()

    @routes.put(
        "/{name}",
        response_model=NamedPlan,
        responses={202: {"model": NamedPlan}, **problems(403, 413, 422, 503)},
        openapi_extra=takes(Plan, EXAMPLE),
    )
    async def put(request: Request, caller: Known, name: PlanName) -> Response:
        """Say when people are reminded; all open deadlines that go by this plan follow."""
        check_admin(caller)
        asked = await bodies.model(request, Plan, desk.limits.notification_bytes)
        value = asked.model_dump(mode="json", exclude_none=True)
        told = events.Setting(tenant=caller.tenant, what="plan", id=name, value=value, command=new_id())
        version = await changing.put(told)
        if version is None:
            return _shape(name, asked).response(HTTPStatus.ACCEPTED)
        return _shown(name, version).response()

    @routes.delete("/{name}", status_code=HTTPStatus.NO_CONTENT, responses={202: {}, **problems(403, 422, 503)})
    async def delete(caller: Known, name: PlanName) -> Response:
        """Forget a plan: what goes by it goes by the one that Tocsin brings along."""
        check_admin(caller)
        gone = await changing.forget(caller.tenant, f"plan/{name}")
        return Response(status_code=HTTPStatus.NO_CONTENT if gone else HTTPStatus.ACCEPTED)

    return routes


def _shown(name: str, version: Version) -> NamedPlan:
    value = from_json(version.value or "{}").get("value") or {}
    return NamedPlan(name=name, reminders=tuple(value.get("reminders") or ()), updated_at=version.as_of)


def _shape(name: str, said: Plan) -> NamedPlan:
    reminders = (one.model_dump(mode="json", exclude_none=True) for one in said.reminders)
    return NamedPlan(name=name, reminders=tuple(reminders))
