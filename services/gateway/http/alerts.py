"""Alerts come back in: what Prometheus has noticed and Alertmanager posts is told to who is to be told."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response

from contracts.status import Channel
from contracts.topics import RECIPIENTS
from kit import logs
from kit.postgres import Connection
from services.gateway.http import bodies, shapes
from services.gateway.http.alertmanager import EXAMPLE, AlertmanagerWebhook
from services.gateway.http.auditing import remark
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.operations import check_operator
from services.gateway.http.problems import Problem, forbidden, unavailable
from services.gateway.outbox.writer import Unavailable, Unstorable
from services.gateway.rules import alerting
from services.gateway.rules.alerting import Alert
from services.gateway.rules.asked import Accepted, Asked
from services.gateway.rules.trust import Caller
from services.gateway.store import alerts as store
from services.gateway.store import directory, reading

log = logs.get(__name__)

SETTING: Final = "notifications.alerts.recipients"
TENANT: Final = "default"
"""Whose directory the persons of the setting are in."""


class AlertsTaken(shapes.Shape):
    """What became of the alerts: `told` now, `repeated` (told before), `held` back (too many of their name in this
    hour: told when they come again and there is room), `dropped` (about alerts' own notifications)."""

    told: int = 0
    repeated: int = 0
    held: int = 0
    dropped: int = 0
    notifications: tuple[UUID, ...] = ()

    @property
    def fates(self) -> dict[str, int]:
        """How many of each."""
        return {"told": self.told, "repeated": self.repeated, "held": self.held, "dropped": self.dropped}


@dataclass(frozen=True, slots=True)
class Sorted:
    """The alerts of one post that are told, and how many are not."""

    told: Sequence[Alert]
    held: int
    dropped: int


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
        taken = await tell(desk, list(alerts.values()))
        remark(request, ", ".join(f"{n} {fate}" for fate, n in taken.fates.items()))
        log.info("alerts_taken", **taken.fates, left_out=posted.truncatedAlerts)
        for fate, n in taken.fates.items():
            desk.metrics.alerts(fate, n)
        return taken.response(HTTPStatus.ACCEPTED)

    return routes


async def tell(desk: Desk, alerts: Sequence[Alert]) -> AlertsTaken:
    """Makes them notifications. Raises Problem 503, also where nobody is to be told: Alertmanager comes back."""
    recipients = tuple(dict.fromkeys(desk.settings.notifications.alerts.recipients))
    if not recipients:
        raise _nobody()
    async with desk.database.transaction() as connection:
        sorted = await _sorted(connection, alerts, desk.limits.alerts_per_hour)
        emails = await _with_email(desk, connection, recipients)
    asked = [[_asked(alert, recipient, recipient in emails) for recipient in recipients] for alert in sorted.told]
    try:
        results = iter(await desk.writer.accept([one for ones in asked for one in ones]) if asked else [])
    except Unavailable as error:
        raise unavailable(f"accepting ({error})") from None
    first = [[one.id for one in ones if _is_first(one, next(results))] for ones in asked]
    told = sum(1 for ids in first if ids)
    return AlertsTaken(
        told=told,
        repeated=len(first) - told,
        held=sorted.held,
        dropped=sorted.dropped,
        notifications=tuple(id for ids in first for id in ids),
    )


async def _sorted(connection: Connection, alerts: Sequence[Alert], most: int) -> Sorted:
    """Which are told now. The gateway that decides does so alone, and what it decides is kept: a repeat tells the same
    again, under the same ids."""
    ours = await _about_ours(connection, alerts)
    wanted = [one for one in alerts if not one.is_about_alerts and one.named not in ours]
    if not wanted:
        return Sorted((), 0, len(alerts))
    names = {one.life: one.name for one in wanted}
    await store.alone(connection)
    hour = await store.this_hour(connection)
    known = await store.known(connection, names)
    taken = await store.taken(connection, hour, set(names.values()))
    places = alerting.places(wanted, known, taken, hour, most)
    await store.keep(connection, places, names)
    told = [one for one in wanted if places[one.life]]
    for name, n in Counter(one.name for one in wanted if not places[one.life]).items():
        log.warning("alerts_held_back", alert=name, count=n, per_hour=most)
    return Sorted(told, len(wanted) - len(told), len(alerts) - len(wanted))


async def _about_ours(connection: Connection, alerts: Sequence[Alert]) -> set[UUID | None]:
    """Of the notifications that these are about, those that tell of alerts themselves."""
    named = {one.named for one in alerts if one.named}
    found = await reading.several(connection, named) if named else {}
    return {id for id, row in found.items() if row.owner == alerting.OWNER}


async def _with_email(desk: Desk, connection: Connection, recipients: Sequence[str]) -> set[str]:
    """The persons whom an email would reach: all others the bell alone tells, instead of a mail that is rejected."""
    if not desk.settings.notifications.email.enabled:
        return set()
    keys = {f"{TENANT}/{one}": one for one in recipients if alerting.channel_of(one) is Channel.INAPP}
    found = await directory.several(connection, RECIPIENTS.name, list(keys))
    return {keys[one.key] for one in found if one.value and from_json(one.value).get("email")}


def _asked(alert: Alert, recipient: str, has_email: bool) -> Asked:
    id = alerting.id_of(TENANT, alert, recipient)
    return Asked.of(id, TENANT, alerting.OWNER, alerting.request(alert, recipient, has_email))


def _is_first(asked: Asked, result: object) -> bool:
    """Another text under the same id is a repeat, too: figures in it change while an alert goes on."""
    if isinstance(result, Unstorable):
        log.error("alert_not_storable", id=str(asked.id))
    return isinstance(result, Accepted) and result.first


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
