"""The bell: what was shown to a person, and what the person did with it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from services.gateway.handlers import entries as handle
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems
from services.gateway.http.ids import id_of
from services.gateway.http.inbox.entries import InboxEntry, InboxPage, ReadAll, page, shown
from services.gateway.http.parameters import instant
from services.gateway.http.problems import not_found
from services.gateway.rules.trust import Caller
from services.gateway.store import entries
from services.gateway.store.entries import Mark, Page
from services.gateway.store.inbox import Person

Offset = Annotated[int | None, Query(ge=0, le=2**63 - 1, description="The `next` of the page before.")]
Through = Annotated[
    int | None, Query(ge=0, le=2**63 - 1, description="Up to this `offset`: what came later is unseen.")
]


def router(desk: Desk) -> APIRouter:
    """The routes of one's own inbox."""
    routes = APIRouter(prefix="/v1/inbox", tags=["inbox"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("", response_model=InboxPage, responses=problems(422, 503))
    async def look(
        caller: Known,
        after: Offset = None,
        unread: bool = False,
        archived: bool = False,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
    ) -> Response:
        """Your inbox, the newest first."""
        begin, end = instant("created_after", created_after), instant("created_before", created_before)
        asked, person = Page(after, unread, archived, begin, end, limit + 1), _person(caller)
        async with desk.front.connection() as connection:
            rows = await entries.page(connection, person, asked)
            count = await entries.unread(connection, person)
        return page(rows, limit, count).response()

    @routes.post("/read-all", response_model=ReadAll, responses=problems(422, 503))
    async def read_all(caller: Known, through: Through = None) -> Response:
        """You have seen everything."""
        read, more = 0, True
        while more:
            async with desk.front.transaction() as connection:
                kept, through = await handle.read_some(connection, _person(caller), through)
            desk.announcer.say_all(kept)
            read, more = read + len(kept), len(kept) == handle.AT_ONCE
        return ReadAll(read=read).response()

    @routes.post("/{id}/read", response_model=InboxEntry, responses=problems(404, 422, 503))
    async def read(caller: Known, id: str) -> Response:
        """You have read it. Twice is once."""
        return await _mark(caller, id, "read")

    @routes.post("/{id}/unread", response_model=InboxEntry, responses=problems(404, 422, 503))
    async def unread(caller: Known, id: str) -> Response:
        """You have not done with it yet. What was not sent because you had read it is not sent after all."""
        return await _mark(caller, id, "unread")

    @routes.post("/{id}/archive", response_model=InboxEntry, responses=problems(404, 422, 503))
    async def archive(caller: Known, id: str) -> Response:
        """Out of sight, not gone: `?archived=true` shows it."""
        return await _mark(caller, id, "archived")

    @routes.post("/{id}/unarchive", response_model=InboxEntry, responses=problems(404, 422, 503))
    async def unarchive(caller: Known, id: str) -> Response:
        """Back into sight."""
        return await _mark(caller, id, "unarchived")

    async def _mark(caller: Caller, text: str, mark: Mark) -> Response:
        person, id = _person(caller), id_of(text)
        if id is None:
            raise not_found("entry")
        async with desk.front.transaction() as connection:
            marked = await handle.mark(connection, person, id, mark)
        if marked is None:
            raise not_found("entry")
        entry, kept = marked
        desk.announcer.say_all(kept)
        return shown(entry).response()

    return routes


def _person(caller: Caller) -> Person:
    return caller.tenant, caller.sub
