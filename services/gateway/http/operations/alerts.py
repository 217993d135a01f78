"""Alerts come back in: what Prometheus has noticed and Alertmanager posts is told to who is to be told."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from kit import logs
from services.gateway.handlers.alerts import TENANT, Nobody, Taken, Telling
from services.gateway.http import bodies
from services.gateway.http.access.auditing import remark
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.operations.alertmanager import EXAMPLE, AlertmanagerWebhook
from services.gateway.http.operations.routes import check_operator
from services.gateway.http.problems import Problem, forbidden, unavailable
from services.gateway.http.shape import Shape
from services.gateway.outbox.writer import CannotAccept
from services.gateway.rules.alerting import Alert
from services.gateway.rules.trust import Caller

log = logs.get(__name__)

SETTING: Final = "notifications.alerts.recipients"


class AlertsTaken(Shape):
    """What became of the alerts: `told` now, `repeated` (told before), `held` back (too many of their name in this
    hour: told when they come again and there is room), `dropped` (about alerts' own notifications)."""

    told: int = 0
    repeated: int = 0
    held: int = 0
    dropped: int = 0
    notifications: tuple[UUID, ...] = ()


def router(desk: Desk) -> APIRouter:
    """The route of Alertmanager."""
    routes = APIRouter(prefix="/v1/admin/alerts", tags=["operations"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.post(
        "",
        status_code=HTTPStatus.ACCEPTED,
        response_model=AlertsTaken,
        responses=problems(403, 413, 422, 503),
        openapi_extra=takes(AlertmanagerWebhook, EXAMPLE),
    )
    async def take(request: Request, caller: Known) -> Response:
        """Tell those of `alerts.recipients` what fires and what is resolved. For a key with the scope `alerts`, or an
        admin of `default`. The same alert in the same state is told once, however often it is posted."""
        _check(caller)
        posted = await bodies.model(request, AlertmanagerWebhook, desk.limits.batch_bytes)
        alerts = {(one.life, one.state): one for one in (posted.alert() for posted in posted.alerts)}
        taken = await _told(desk, list(alerts.values()))
        remark(request, ", ".join(f"{n} {fate}" for fate, n in taken.fates.items()))
        log.info("alerts_taken", **taken.fates, left_out=posted.truncatedAlerts)
        for fate, n in taken.fates.items():
            desk.metrics.alerts(fate, n)
        shown = AlertsTaken(**taken.fates, notifications=taken.notifications)
        return shown.response(HTTPStatus.ACCEPTED)

    return routes


async def _told(desk: Desk, alerts: Sequence[Alert]) -> Taken:
    """Raises Problem 503, also where nobody is to be told: Alertmanager comes back."""
    telling = Telling(desk.settings, desk.front, desk.writer, desk.limits.alerts_per_hour)
    try:
        return await telling.tell(alerts)
    except Nobody:
        raise _nobody() from None
    except CannotAccept as error:
        raise unavailable(f"accepting ({error})") from None


def _check(caller: Caller) -> None:
    """Raises Problem 403: keys were asked for their scope already, but may be another tenant's."""
    if caller.scopes is None:
        check_operator(caller)
    elif caller.tenant != TENANT:
        raise forbidden("operators_only", f"this needs a key of the tenant `{TENANT}`, whose directory alerts go by")


def _nobody() -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "no_recipients",
        f"nobody is to be told: name user ids or addresses in {SETTING}, and restart the gateway",
        [(SETTING, "is empty")],
        headers={"Retry-After": "60"},
    )
