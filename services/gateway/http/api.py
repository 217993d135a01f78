"""All routes put together, and the document that describes them."""

from collections.abc import Collection
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from contracts.deadline import DeadlineRequest
from contracts.plan import Plan
from contracts.preferences import Preferences
from contracts.request import NotificationRequest
from contracts.schedule import ScheduleRequest
from contracts.template import TemplatePreviewRequest, TemplateRequest
from kit.health import Health
from services.gateway.http import compat, problems
from services.gateway.http.access import api_keys, audit
from services.gateway.http.access.auditing import Audited
from services.gateway.http.deadlines import plans
from services.gateway.http.deadlines import routes as deadlines
from services.gateway.http.desk import Desk
from services.gateway.http.documented import TITLE, document
from services.gateway.http.edge import limited
from services.gateway.http.edge.door import Door
from services.gateway.http.edge.guarded import Guarded
from services.gateway.http.edge.measured import Measured
from services.gateway.http.inbox import entries, recalling, streams
from services.gateway.http.inbox import routes as inbox
from services.gateway.http.notifications import failed, sending
from services.gateway.http.notifications import routes as notifications
from services.gateway.http.operations import alerts, callbacks, channels, configuration, providers, stats
from services.gateway.http.operations import routes as operations
from services.gateway.http.operations.alertmanager import AlertmanagerWebhook
from services.gateway.http.pages import demo, documentation, downloads
from services.gateway.http.pages import files as pages
from services.gateway.http.people import limits, preferences, recipients, unsubscribe
from services.gateway.http.people import routes as people
from services.gateway.http.schedules import routes as schedules
from services.gateway.http.suppressions import routes as suppressions
from services.gateway.http.suppressions.shapes import SuppressionRequest
from services.gateway.http.templates import routes as templates
from services.gateway.http.webhooks import deliveries as webhook_deliveries
from services.gateway.http.webhooks import routes as webhooks
from services.gateway.http.webhooks import shapes as webhook_shapes
from services.gateway.rules.origins import origin_of
from services.gateway.rules.rates import FIELDS

VERSION: Final = "1"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
TAKEN: Final = ("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "Last-Event-ID")
SHOWN: Final = ("ETag", "Location", "Retry-After", *FIELDS)
BODIES: Final = (
    NotificationRequest,
    sending.Batch,
    notifications.MoveRequest,
    recipients.RecipientRequest,
    Preferences,
    ScheduleRequest,
    DeadlineRequest,
    Plan,
    TemplateRequest,
    TemplatePreviewRequest,
    SuppressionRequest,
    compat.CompatRequest,
    entries.EntryUpdate,
    failed.ReplayRequest,
    api_keys.KeyRequest,
    people.EraseRequest,
    AlertmanagerWebhook,
    webhook_shapes.WebhookRequest,
    webhook_shapes.WebhookReplayRequest,
)
TAGS: Final = [
    {"name": "notifications", "description": "Ask, see, move, cancel."},
    {"name": "failed", "description": "What did not arrive, and sending it again: for admins."},
    {
        "name": "inbox",
        "description": "The bell: what was shown to you; and what you sent there, rewritten or taken back.",
    },
    {"name": "stream", "description": "Real time: what happens to your inbox, as it happens."},
    {"name": "recipients", "description": "Where people are reached, and what they want."},
    {"name": "schedules", "description": "What comes again and again."},
    {"name": "deadlines", "description": "What is due, and when people are reminded."},
    {"name": "templates", "description": "What notifications say, per channel and language, in versions."},
    {"name": "suppressions", "description": "Addresses to which nothing is sent any more."},
    {"name": "webhooks", "description": "Other systems, told what became of notifications: for admins."},
    {"name": "access", "description": "Keys for programs, and what admins did: for admins."},
    {"name": "people", "description": "Export of one person, and erasure with a report: for admins."},
    {"name": "figures", "description": "What became of it all."},
    {"name": "callbacks", "description": "What providers report; signed by them."},
    {"name": "operations", "description": "Jobs, providers, and who is alive: for admins of the tenant `default`."},
    {"name": "compat", "description": "The routes of the two systems that came before, in their words."},
]


def api(desk: Desk) -> FastAPI:
    """The routes, with their errors as problems."""
    # The files of the page come from here, too: it works in a house without a way out.
    app = FastAPIOffline(None, None, title=TITLE, version=VERSION, openapi_tags=TAGS, static_url=documentation.FILES)
    app.router.routes.extend(documentation.routes(TITLE, "/openapi.json"))
    things = (inbox, recalling, streams, recipients, preferences, schedules, deadlines, plans, templates, suppressions)
    strangers = (callbacks, unsubscribe)
    access = (webhooks, webhook_deliveries, api_keys, audit, people)
    admins = (failed, *access, operations, channels, providers, configuration, alerts)
    for room in (sending, notifications, *things, stats, limits, *strangers, *admins, compat):
        app.include_router(room.router(desk))
    app.add_exception_handler(problems.Problem, problems.on_problem)
    app.add_exception_handler(RequestValidationError, problems.on_bad_parameter)
    app.add_exception_handler(HTTPException, problems.on_http)
    app.add_middleware(Audited, database=desk.front, tokens=desk.tokens)
    app.add_middleware(problems.Last)
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(document(app, BODIES))
        return described

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def face(desk: Desk, health: Health) -> ASGIApp:
    """What is served: the API, the bell and its demo page; health and metrics where they have no port of their own."""
    app = api(desk)
    told = () if desk.settings.ports.gateway else health.routes
    app.router.routes.extend((*told, *pages.routes(), *downloads.routes(), *demo.routes(desk), *compat.sockets(desk)))
    posts = sending.posts(desk)
    door = Door(posts, streams.sockets(desk), app)
    counted = limited.RateFields(door) if desk.calls.most else door
    plain = [path for one in app.routes if "{" not in (path := getattr(one, "path", "{"))]
    measured = Measured(_for_others(counted, desk.settings.gateway.origins), desk.metrics, [*plain, *posts])
    return Guarded(measured, desk.settings.public_url)


def _for_others(door: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """Lets pages of these sites use the API, with a token; browsers ask before they let any other page (CORS)."""
    if not origins:
        return door
    allowed = [origin_of(url) for url in origins]
    return CORSMiddleware(door, allow_origins=allowed, allow_methods=METHODS, allow_headers=TAKEN, expose_headers=SHOWN)
