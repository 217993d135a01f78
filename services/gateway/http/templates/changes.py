"""What the routes of templates do with the directory: what is written is checked, numbered, published and found."""

import asyncio
from datetime import datetime
from uuid import UUID

from starlette.requests import Request

from contracts import events, topics
from contracts.status import Channel
from contracts.template import TemplatePreviewRequest, TemplateRequest
from kit.bus.publisher import PublishFailed
from kit.bus.record import Outgoing
from kit.postgres.clocks import clock
from kit.rendering import Rendered, Unrenderable
from kit.rendering.checking import problems
from kit.rendering.plain import made_from
from services.gateway.http import bodies
from services.gateway.http.access.auth import check_admin
from services.gateway.http.changing import Changing
from services.gateway.http.desk import Desk
from services.gateway.http.ids import new_id
from services.gateway.http.problems import Problem, forbidden, invalid, not_found, unavailable
from services.gateway.http.versions import expected, stale
from services.gateway.rules import templating
from services.gateway.rules.templating import Edition
from services.gateway.rules.trust import Caller
from services.gateway.store import editions
from services.gateway.store import templates as store
from services.gateway.store.templates import Numbered


class Templating:
    """The templates behind the routes; every method may raise a Problem."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._settings = Changing(desk, topics.SETTINGS)

    async def current(self, tenant: str, name: str) -> int:
        """The number of the version in force; 0: there is none."""
        known = await self._settings.known(templating.key(tenant, name))
        return templating.in_force(known.value if known else None)

    async def versions(self, tenant: str, name: str) -> list[Numbered]:
        """Every version that was ever known, the newest first."""
        async with self._desk.front.connection() as connection:
            return await store.versions(connection, tenant, name)

    async def edition(self, tenant: str, name: str, number: int | None = None) -> Edition:
        """One version, the one in force where no number is given. 404 without it, or without the template."""
        current = await self.current(tenant, name)
        wanted = number or current
        there = {one.number: one.value for one in await self.versions(tenant, name)} if current else {}
        value = there.get(wanted)
        if value is None:
            raise not_found("template" if number is None else "version of this template")
        return Edition.of(name, wanted, value)

    async def put(self, request: Request, caller: Caller, name: str) -> tuple[Edition, bool]:
        """A new version, and whether it is in force here already."""
        current = await self.current(caller.tenant, name)
        seen = expected(request, current)
        asked = await bodies.model(request, TemplateRequest, self._desk.limits.with_attachments_bytes)
        plain = await asyncio.to_thread(_checked, asked)
        command = new_id()
        highest = max([current, *(one.number for one in await self.versions(caller.tenant, name))])
        number, now = await self._taken(caller.tenant, name, highest, seen, command)
        value = templating.stored(asked, plain, caller, now)
        texts, force = templating.settings(caller.tenant, name, number, value, command)
        await self._say(texts)
        known = await self._settings.put(force)
        return Edition(name, number, value), known is not None

    async def delete(self, request: Request, caller: Caller, name: str) -> bool:
        """Nothing can be sent by it any more; False: it takes longer until that is seen here."""
        current = await self.current(caller.tenant, name)
        if not current:
            raise not_found("template")
        seen, known = expected(request, current), await self.versions(caller.tenant, name)
        await self._taken(caller.tenant, name, max([current, *(one.number for one in known)]), seen, new_id())
        numbers = [one.number for one in known if one.value is not None]
        first, *others = templating.tombstones(caller.tenant, name, numbers)
        gone = await self._settings.forget(caller.tenant, first.path)
        await self._say(*others)
        return gone

    async def preview(self, edition: Edition, asked: TemplatePreviewRequest) -> Rendered:
        """What it would send. Rendered beside the event loop: cleaning HTML may take some 50 ms."""
        try:
            return await asyncio.to_thread(
                templating.tried, edition.template, Channel(asked.channel), asked.locale, asked.data
            )
        except Unrenderable as error:
            raise unrenderable(error) from None

    async def _taken(
        self, tenant: str, name: str, highest: int, seen: int | None, command: UUID
    ) -> tuple[int, datetime]:
        """The number after `highest`, and the time. Raises Problem 412 where somebody took the one after `seen`.

        It is never given back: intake may know the texts of that version already, and they never change.
        """
        where = topics.SETTINGS.name, templating.key(tenant, name)
        async with self._desk.front.connection() as connection:
            now = await clock(connection)
            taken = await editions.take(connection, *where, current=highest, expected=seen, command=command)
        if taken is None:
            raise stale()
        return taken, now

    async def _say(self, *told: events.OfDirectory) -> None:
        try:
            await self._desk.publisher.publish([Outgoing(topics.SETTINGS, one) for one in told])
        except PublishFailed:
            raise unavailable("Kafka", seconds=5) from None


def unrenderable(error: Unrenderable) -> Problem:
    """The field that it is about, and what is wrong or missing there."""
    field, _, message = error.detail.partition(": ")
    return invalid([(field, message)] if message else [("", error.detail)], error.reason)


def check_writer(caller: Caller) -> None:
    """Raises Problem 403 for who may not change templates."""
    check_admin(caller)


def check_reader(caller: Caller) -> None:
    """Raises Problem 403 for who may know the names only."""
    if not templating.may_read(caller):
        raise forbidden("services_only", "this needs the role service or admin; the names are for everybody")


def _checked(asked: TemplateRequest) -> dict[str, str]:
    """The texts made of the HTML that has none beside it, by their place. Raises Problem 422."""
    if found := list(problems(asked)):
        raise invalid(found, "bad_template")
    return {
        place: made_from(texts.html)
        for place, texts in asked.languages()
        if texts.html is not None and texts.text is None
    }
