"""What a person wants to get, and when not: two objects of the directory's topic, shown and changed as one."""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.requests import Request
from starlette.responses import Response

from contracts import events, topics
from contracts.preferences import CATEGORIES, SUBJECTS, Channels, Preferences, QuietHours
from kit.bus.publisher import PublishFailed
from kit.bus.record import Outgoing
from services.gateway.http import bodies
from services.gateway.http.desk import Desk, T
from services.gateway.http.documented import problems, takes
from services.gateway.http.ids import new_id
from services.gateway.http.people.recipients import UserId
from services.gateway.http.people.turns import Turns
from services.gateway.http.problems import Problem, invalid, not_found, unavailable
from services.gateway.http.shape import Shape
from services.gateway.http.versions import IF_MATCH, etag, expected
from services.gateway.rules import trust
from services.gateway.rules.trust import Caller
from services.gateway.rules.wishes import categories_of, kept
from services.gateway.store import directory
from services.gateway.store.directory import Version

EXAMPLE = {
    "categories": {"news": {"email": False}},
    "quiet_hours": [{"from": "22:00", "to": "07:00"}],
}


class PersonsPreferences(Shape):
    """What a person wants; without any, everything may come at any time."""

    user_id: str
    categories: dict[str, Channels]
    quiet_hours: tuple[QuietHours, ...]
    updated_at: datetime | None = None


def router(desk: Desk) -> APIRouter:
    """The routes of preferences: a person's own, or anybody's for services and admins."""
    routes = APIRouter(prefix="/v1/recipients/{user_id}/preferences", tags=["recipients"])
    turns = Turns(desk)
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("", response_model=PersonsPreferences, responses=problems(404, 422, 503))
    async def see(caller: Known, user_id: UserId) -> Response:
        """What this person wants. Quiet hours go by the clock of the person's own zone. `ETag` names what is wanted
        now, for `If-Match`."""
        _check(caller, user_id)
        return _answer(user_id, await _versions(caller, user_id))

    @routes.put(
        "",
        response_model=PersonsPreferences,
        responses={202: {"model": PersonsPreferences}, **problems(404, 412, 413, 422, 503)},
        openapi_extra=takes(Preferences, EXAMPLE) | {"parameters": [IF_MATCH]},
    )
    async def put(request: Request, caller: Known, user_id: UserId) -> Response:
        """Say all that this person wants. 200 once it is in force here, 202 when that takes longer. What a link in a
        mail stops or allows at the same moment stays as the link left it, unless this changes it, too. With `If-Match`,
        only what you have seen is changed: then a link that was quicker is 412."""
        _check(caller, user_id)
        asked = await bodies.model(request, Preferences, desk.limits.notification_bytes)
        _check_categories(asked, desk.settings.notifications.transactional_categories)
        seen = await _versions(caller, user_id)
        turn = await turns.take(key := _key(caller, user_id))
        now = await _versions(caller, user_id)
        try:
            expected(request, _edition(now))
            wanted = _wanted(asked, seen, now)
        except Problem:
            await turns.give_back(turn, key)
            raise
        told = [
            events.Preference(
                tenant=caller.tenant, user_id=user_id, subject_name=subject, command=new_id(), value=value
            )
            for subject, value in wanted.parts().items()
        ]
        versions = await _in_turn(turn, key, told, lambda: _in_force(caller, user_id, told))
        if versions is None:
            late = PersonsPreferences(user_id=user_id, categories=wanted.categories, quiet_hours=wanted.quiet_hours)
            return late.response(HTTPStatus.ACCEPTED)
        return _answer(user_id, versions)

    @routes.delete(
        "",
        status_code=HTTPStatus.NO_CONTENT,
        responses={202: {}, **problems(404, 412, 422, 503)},
        openapi_extra={"parameters": [IF_MATCH]},
    )
    async def delete(request: Request, caller: Known, user_id: UserId) -> Response:
        """Everything may come again, at any time. 204 once that is in force here, 202 when it takes longer. With
        `If-Match`, only what you have seen is dropped."""
        _check(caller, user_id)
        turn = await turns.take(key := _key(caller, user_id))
        try:
            expected(request, _edition(await _versions(caller, user_id)))
        except Problem:
            await turns.give_back(turn, key)
            raise
        told = [events.Tombstone(tenant=caller.tenant, path=f"{user_id}/{subject}") for subject in SUBJECTS]
        gone = await _in_turn(turn, key, told, lambda: _forgotten(caller, user_id))
        return Response(status_code=HTTPStatus.NO_CONTENT if gone else HTTPStatus.ACCEPTED)

    async def _in_turn(
        turn: UUID, key: str, told: Iterable[events.OfDirectory], look: Callable[[], Awaitable[T | None]]
    ) -> T | None:
        """Publishes, and what is in force then. The turn is given back, unless that is not seen yet."""
        try:
            await _publish(told)
        except Problem:  # nothing was promised
            await turns.give_back(turn, key)
            raise
        seen = await desk.until(look)
        if seen is not None:
            await turns.give_back(turn, key)
        return seen

    async def _publish(told: Iterable[events.OfDirectory]) -> None:
        try:
            await desk.publisher.publish([Outgoing(topics.PREFERENCES, event) for event in told])
        except PublishFailed:
            raise unavailable("Kafka", seconds=5) from None

    async def _versions(caller: Caller, user_id: str) -> dict[str, Version]:
        """What is known, by subject; what is gone is among it."""
        keys = {f"{caller.tenant}/{user_id}/{subject}": subject for subject in SUBJECTS}
        async with desk.front.connection() as connection:
            found = await directory.several(connection, topics.PREFERENCES.name, list(keys))
        return {keys[version.key]: version for version in found}

    async def _in_force(caller: Caller, user_id: str, told: list[events.Preference]) -> dict[str, Version] | None:
        """These changes, or some that came after them: commands are ordered by time."""
        versions = await _versions(caller, user_id)
        known = ((versions.get(one.subject_name), one.command) for one in told)
        done = all(version and version.command and mine and version.command >= mine for version, mine in known)
        return versions if done else None

    async def _forgotten(caller: Caller, user_id: str) -> bool | None:
        versions = await _versions(caller, user_id)
        done = all((version := versions.get(subject)) and version.value is None for subject in SUBJECTS)
        return done or None

    return routes


def _key(caller: Caller, user_id: str) -> str:
    return f"{caller.tenant}/{user_id}/{CATEGORIES}"


def _wanted(asked: Preferences, seen: Mapping[str, Version], now: Mapping[str, Version]) -> Preferences:
    """With what a link has changed between the two. Raises Problem 422 where that is one too many."""
    before, after = (categories_of(them[CATEGORIES].value if CATEGORIES in them else None) for them in (seen, now))
    parts = asked.parts()
    try:
        categories = kept(parts[CATEGORIES], before, after)
        return Preferences.of({**parts, CATEGORIES: categories})
    except ValidationError:
        raise invalid(
            [("categories", "are too many with those that a link has just stopped; read them anew")]
        ) from None


def _check(caller: Caller, user_id: str) -> None:
    if not trust.may_edit_person(caller, user_id):
        raise not_found("recipient")


def _check_categories(asked: Preferences, transactional: Collection[str]) -> None:
    refused = sorted({category for category, _ in asked.opted_out if category in transactional})
    if refused:
        told = "is transactional: nobody can opt out of it (setting notifications.transactional_categories)"
        raise invalid([(f"categories.{category}", told) for category in refused])


def _answer(user_id: str, versions: Mapping[str, Version]) -> Response:
    return _shown(user_id, versions).response(headers=etag(_edition(versions)))


def _edition(versions: Mapping[str, Version]) -> str:
    """What is wanted, in a word: another one after whatever has changed it, a link or a record past REST, too."""
    said = [versions[subject].value if subject in versions else None for subject in SUBJECTS]
    return hashlib.sha256(to_json(said)).hexdigest()[:16]


def _shown(user_id: str, versions: Mapping[str, Version]) -> PersonsPreferences:
    there = {subject: version for subject, version in versions.items() if version.value is not None}
    wanted = Preferences.of(
        {subject: from_json(one.value or "{}").get("value") or {} for subject, one in there.items()}
    )
    return PersonsPreferences(
        user_id=user_id,
        categories=wanted.categories,
        quiet_hours=wanted.quiet_hours,
        updated_at=max((version.as_of for version in there.values()), default=None),
    )
