"""Templates, by name: written in versions by admins, tried out before anybody gets one, named by who sends."""

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from contracts.status import Channel
from contracts.template import TemplatePreviewRequest, TemplateRequest, version_name
from services.gateway.http import bodies
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.templates.changes import Templating, check_reader, check_writer
from services.gateway.http.templates.shapes import (
    NamedTemplate,
    TemplateNames,
    TemplatePreview,
    TemplateVersions,
    named,
    shown,
    version_of,
)
from services.gateway.http.versions import IF_MATCH, etag
from services.gateway.rules.templating import Edition
from services.gateway.rules.trust import Caller
from services.gateway.store import templates as store

EXAMPLE: Final = {
    "subject": "Welcome, {{ name }}",
    "html": '<p>Hello {{ name }}, <a href="{{ link }}">come in</a>.</p>',
    "sms": "Welcome, {{ name }}: {{ link }}",
    "locales": {"fr": {"subject": "Bienvenue, {{ name }}", "html": "<p>Bonjour {{ name }}.</p>"}},
    "required": ["name", "link"],
    "types": {"name": "text"},
}
TRIAL: Final = {"channel": "email", "locale": "fr-CA", "data": {"name": "Zoé", "link": "https://example.com"}}

Name = Annotated[str, Path(min_length=1, max_length=50, pattern=r"^[A-Za-z0-9_.\-]+$")]


def router(desk: Desk) -> APIRouter:
    """The routes of a tenant's templates: everybody may know the names, services read, admins write."""
    routes = APIRouter(prefix="/v1/admin/templates", tags=["templates"])
    office = Templating(desk)
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("", response_model=TemplateNames, responses=problems(422, 503))
    async def names(
        caller: Known,
        after: Annotated[str, Query(description="The `next` of the page before.")] = "",
        limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
    ) -> Response:
        """The names that a notification's `template` may have."""
        async with desk.front.connection() as connection:
            found = [named(one) for one in await store.names(connection, caller.tenant, after, limit + 1)]
        following = found[limit - 1].name if len(found) > limit else None
        return TemplateNames(items=tuple(found[:limit]), next=following).response()

    @routes.get("/{name}", response_model=NamedTemplate, responses=problems(403, 404, 422, 503))
    async def see(caller: Known, name: Name, version: Annotated[int | None, Query(ge=1)] = None) -> Response:
        """A template as it was written; the version in force, unless another is asked for. `ETag` is for `If-Match`."""
        check_reader(caller)
        found = await office.edition(caller.tenant, name, version)
        return shown(found).response(headers=etag(found.number))

    @routes.put(
        "/{name}",
        response_model=NamedTemplate,
        responses={202: {"model": NamedTemplate}, **problems(403, 412, 413, 422, 503)},
        openapi_extra=takes(TemplateRequest, EXAMPLE) | {"parameters": [IF_MATCH]},
    )
    async def put(request: Request, caller: Known, name: Name) -> Response:
        """A new version, in force from now on; the old ones stay. What is wrong is named by field and line."""
        check_writer(caller)
        made, known = await office.put(request, caller, name)
        return shown(made).response(HTTPStatus.OK if known else HTTPStatus.ACCEPTED, etag(made.number))

    @routes.delete(
        "/{name}",
        status_code=HTTPStatus.NO_CONTENT,
        responses={202: {}, **problems(403, 404, 412, 422, 503)},
        openapi_extra={"parameters": [IF_MATCH]},
    )
    async def delete(request: Request, caller: Known, name: Name) -> Response:
        """It and all its versions: who asks for it is refused. What was judged by it before is sent all the same."""
        check_writer(caller)
        gone = await office.delete(request, caller, name)
        return Response(status_code=HTTPStatus.NO_CONTENT if gone else HTTPStatus.ACCEPTED)

    @routes.get("/{name}/versions", response_model=TemplateVersions, responses=problems(403, 404, 422, 503))
    async def versions(caller: Known, name: Name) -> Response:
        """The versions that are kept."""
        check_reader(caller)
        current = (await office.edition(caller.tenant, name)).number
        found = await office.versions(caller.tenant, name)
        kept = [Edition.of(name, one.number, one.value) for one in found if one.value is not None]
        return TemplateVersions(name=name, items=tuple(version_of(one, current) for one in kept)).response()

    @routes.post(
        "/{name}/preview",
        response_model=TemplatePreview,
        responses=problems(403, 404, 413, 422, 503),
        openapi_extra=takes(TemplatePreviewRequest, TRIAL),
    )
    async def preview(request: Request, caller: Known, name: Name) -> Response:
        """What a notification with this `data` would say; 422 names what is missing."""
        check_reader(caller)
        asked = await bodies.model(request, TemplatePreviewRequest, desk.limits.notification_bytes)
        edition = await office.edition(caller.tenant, name, asked.version)
        made = await office.preview(edition, asked)
        return TemplatePreview(
            template=version_name(name, edition.number),
            channel=Channel(asked.channel),
            locale=asked.locale,
            subject=made.subject,
            text=made.text,
            html=made.html,
        ).response()

    return routes
