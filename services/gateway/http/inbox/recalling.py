"""What was shown is rewritten or taken back by who sent it: one entry, or all of a group."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from contracts.identity import child_id
from contracts.status import Channel
from kit.postgres import Connection
from services.gateway.handlers import entries as handle
from services.gateway.http import bodies
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.ids import id_of
from services.gateway.http.inbox.entries import EntryUpdate, GroupRecalled, GroupUpdated, InboxEntry, shown
from services.gateway.http.problems import forbidden, not_found
from services.gateway.http.versions import IF_MATCH, etag, expected
from services.gateway.rules import trust
from services.gateway.rules.trust import Caller, Whose
from services.gateway.store import entries
from services.gateway.store.entries import Entry

EXAMPLE: Final = {"title": "Room changed", "body": "We meet in room 12, not in room 4."}

Group = Annotated[str, Query(min_length=1, max_length=200)]


def router(desk: Desk) -> APIRouter:
    """The routes of who sent it, and of admins. The id is the notification's, or its parent's (P6.3)."""
    routes = APIRouter(prefix="/v1/inbox", tags=["inbox"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("/{id}", response_model=InboxEntry, responses=problems(404, 422, 503))
    async def see(caller: Known, id: str) -> Response:
        """One entry: yours, or one that you sent. `ETag` is its version, for `If-Match`."""
        async with desk.front.connection() as connection:
            entry = await _readable(connection, caller, id)
        if entry.recalled_at:
            raise not_found("entry")
        return _answer(entry)

    @routes.put(
        "/{id}",
        response_model=InboxEntry,
        responses=problems(403, 404, 412, 413, 422, 503),
        openapi_extra=takes(EntryUpdate, EXAMPLE) | {"parameters": [IF_MATCH]},
    )
    async def update(request: Request, caller: Known, id: str) -> Response:
        """Let it say something else, wherever it is shown. With `If-Match`, only the version you saw; the same words
        once more change nothing."""
        said = (await bodies.model(request, EntryUpdate, desk.limits.notification_bytes)).said
        async with desk.front.transaction() as connection:
            entry = await _changeable(connection, caller, id)
            kept = await handle.rewrite(connection, [entry.id], said, lambda found: _check(request, found))
            now = await entries.shown(connection, [entry.id])
        if not now or now[0].recalled_at:
            raise not_found("entry")
        desk.announcer.say_all(kept)
        return _answer(now[0])

    @routes.delete("/{id}", status_code=HTTPStatus.NO_CONTENT, responses=problems(403, 404, 422, 503))
    async def recall(caller: Known, id: str) -> Response:
        """Take it back: nobody sees it any more. Twice is once. What is not shown yet is 404 here: cancel it
        (`DELETE /v1/notifications/{id}`)."""
        async with desk.front.transaction() as connection:
            entry = await _changeable(connection, caller, id)
            kept = await handle.recall(connection, [entry.id])
        desk.announcer.say_all(kept)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @routes.put(
        "",
        response_model=GroupUpdated,
        responses=problems(413, 422, 503),
        openapi_extra=takes(EntryUpdate, EXAMPLE),
    )
    async def update_group(request: Request, caller: Known, group: Group) -> Response:
        """Let all that you sent under this group (an admin: everybody) say something else."""
        said = (await bodies.model(request, EntryUpdate, desk.limits.notification_bytes)).said
        return GroupUpdated(group=group, updated=await _all(caller, group, said)).response()

    @routes.delete("", response_model=GroupRecalled, responses=problems(422, 503))
    async def recall_group(caller: Known, group: Group) -> Response:
        """Take back all that you sent under this group (an admin: everybody). What waits still is for
        `DELETE /v1/notifications?group=`."""
        return GroupRecalled(group=group, recalled=await _all(caller, group, None)).response()

    async def _all(caller: Caller, group: str, said: Mapping[str, Any] | None) -> int:
        """Part by part: a group may be a whole company. Broken off, it is simply asked for once more."""
        owner = None if caller.is_admin else caller.owner
        changed, last = 0, None
        while True:
            async with desk.front.transaction() as connection:
                part = await handle.some(connection, caller.tenant, group, owner, last, said)
            if part.last is None:
                return changed
            desk.announcer.say_all(part.kept)
            changed, last = changed + len(part.kept), part.last

    return routes


def _answer(entry: Entry) -> Response:
    return shown(entry).response(headers=etag(entry.version))


def _check(request: Request, entry: Entry) -> None:
    expected(request, entry.version)


async def _readable(connection: Connection, caller: Caller, text: str) -> Entry:
    """The entry of this notification, recalled ones too. Raises Problem 404."""
    id = id_of(text)
    found = await entries.shown(connection, _ids(id)) if id else []
    for entry in found:
        if trust.may_read(caller, _whose(entry)):
            return entry
    raise not_found("entry")


async def _changeable(connection: Connection, caller: Caller, text: str) -> Entry:
    """The same, if the caller may also rewrite it. Raises Problem 404, or 403 for who is only addressed."""
    entry = await _readable(connection, caller, text)
    if not trust.may_change(caller, _whose(entry)):
        raise forbidden("not_the_sender", "it is addressed to you: only who sent it can change it or take it back")
    return entry


def _ids(id: UUID) -> list[UUID]:
    """P6.3: where several channels were asked for, the bell shows the child."""
    return [id, child_id(id, Channel.INAPP)]


def _whose(entry: Entry) -> Whose:
    return Whose(entry.tenant, entry.owner, entry.user_id)
