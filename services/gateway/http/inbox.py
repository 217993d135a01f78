"""The bell: what was shown to a person, and what the person did with it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic_core import from_json
from starlette.responses import Response

from services.gateway.handlers import commands
from services.gateway.handlers.commands import Change
from services.gateway.http import shapes
from services.gateway.http.desk import Desk, id_of
from services.gateway.http.documented import problems
from services.gateway.http.problems import not_found
from services.gateway.rules.trust import Caller
from services.gateway.store import inbox
from services.gateway.store.inbox import Entry, Person


class InboxEntry(shapes.Shape):
    """One entry; `offset` is its place in the person's stream."""

    id: UUID
    offset: int
    kind: str | None = None
    category: str | None = None
    title: str | None = None
    body: str | None = None
    data: dict[str, Any] | None = None
    created_at: datetime
    read_at: datetime | None = None
    archived_at: datetime | None = None


class InboxPage(shapes.Shape):
    """The newest first; `unread` counts the whole inbox."""

    items: tuple[InboxEntry, ...]
    next: str | None = None
    unread: int


class ReadAll(shapes.Shape):
    """How many entries were unread until now."""

    read: int


def router(desk: Desk) -> APIRouter:
    """The routes of one's own inbox."""
    routes = APIRouter(prefix="/v1/inbox", tags=["inbox"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("", response_model=InboxPage, responses=problems(422, 503))
    async def look(
        caller: Known,
        after: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="The `next` of the page before.")] = None,
        unread: bool = False,
        archived: bool = False,
        limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
    ) -> Response:
        """Your inbox, the newest first."""
        person = _person(caller)
        async with desk.database.connection() as connection:
            rows = await inbox.page(connection, person, after=after, unread=unread, archived=archived, limit=limit + 1)
            count = await inbox.unread(connection, person)
        following = str(rows[limit - 1].offset) if len(rows) > limit else None
        return InboxPage(items=tuple(map(_shown, rows[:limit])), next=following, unread=count).response()

    @routes.post("/read-all", response_model=ReadAll, responses=problems(503))
    async def read_all(caller: Known) -> Response:
        """You have seen everything."""
        async with desk.database.transaction() as connection:
            kept = await commands.read_all(connection, _person(caller))
        desk.announcer.say_all(kept)
        return ReadAll(read=len(kept)).response()

    @routes.post("/{id}/read", response_model=InboxEntry, responses=problems(404, 422, 503))
    async def read(caller: Known, id: str) -> Response:
        """You have read it. Twice is once."""
        return await _change(caller, id, "read")

    @routes.post("/{id}/archive", response_model=InboxEntry, responses=problems(404, 422, 503))
    async def archive(caller: Known, id: str) -> Response:
        """Out of sight, not gone: `?archived=true` shows it."""
        return await _change(caller, id, "archived")

    async def _change(caller: Caller, text: str, change: Change) -> Response:
        person, id = _person(caller), id_of(text)
        if id is None:
            raise not_found("entry")
        async with desk.database.transaction() as connection:
            kept = await commands.change_entry(connection, person, id, change)
            entry = await inbox.entry(connection, person, id)
        if kept is None or entry is None:
            raise not_found("entry")
        desk.announcer.say_all(kept)
        return _shown(entry).response()

    return routes


def _person(caller: Caller) -> Person:
    return caller.tenant, caller.sub


def _shown(entry: Entry) -> InboxEntry:
    return InboxEntry(
        id=entry.id,
        offset=entry.offset,
        kind=entry.kind,
        category=entry.category,
        title=entry.title,
        body=entry.body,
        data=from_json(entry.data)["data"] if entry.data else None,
        created_at=entry.created_at,
        read_at=entry.read_at,
        archived_at=entry.archived_at,
    )
