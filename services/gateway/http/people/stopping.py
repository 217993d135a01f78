"""Of somebody's preferences, one is changed and the others stay, also where two links are followed at once."""

from typing import Any

from pydantic import ValidationError

from contracts import events
from contracts.preferences import CATEGORIES
from kit.unsubscribing import Subscription
from services.gateway.http.changing import Changing
from services.gateway.http.desk import Desk
from services.gateway.http.ids import new_id
from services.gateway.http.people.turns import TOPIC, Turns
from services.gateway.rules import wishes


class Stopping:
    """Stops a category of mails to somebody, or lets it come again; every method may raise Problem 503."""

    def __init__(self, desk: Desk) -> None:
        self._turns = Turns(desk)
        self._preferences = Changing(desk, TOPIC)

    async def is_stopped(self, about: Subscription) -> bool:
        """As it is known here."""
        return wishes.is_stopped(await self._known(about), about.category)

    async def change(self, about: Subscription, *, stop: bool) -> bool:
        """Whether it is in force here; False: that takes longer. Raises ValidationError for too many categories.

        The object is read, changed and published whole: whoever changes it is alone until his change is seen here. What
        was perhaps published and is not seen yet must not be overwritten: then his turn ends by itself, 15 s later.
        """
        turn = await self._turns.take(key := _key(about))
        known = await self._known(about)
        try:
            wanted = (wishes.stopped if stop else wishes.allowed)(known, about.category)
        except ValidationError:
            await self._turns.give_back(turn, key)
            raise
        in_force = wanted == known or await self._published(about, wanted)
        if in_force:
            await self._turns.give_back(turn, key)
        return in_force

    async def _published(self, about: Subscription, wanted: dict[str, Any]) -> bool:
        told = events.Preference(
            tenant=about.tenant, user_id=about.user_id, subject_name=CATEGORIES, command=new_id(), value=wanted
        )
        return await self._preferences.put(told) is not None

    async def _known(self, about: Subscription) -> wishes.Categories:
        version = await self._preferences.known(_key(about))
        return wishes.categories_of(version.value if version else None)


def _key(about: Subscription) -> str:
    return f"{about.tenant}/{about.user_id}/{CATEGORIES}"
