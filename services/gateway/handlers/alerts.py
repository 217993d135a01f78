"""Alerts are told to those whom the house names, as notifications: each once, and never round and round."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pydantic_core import from_json

from contracts.status import Channel
from contracts.topics import RECIPIENTS
from kit import logs
from kit.postgres import Connection, Database
from kit.settings import Settings
from services.gateway.outbox.writer import Writer
from services.gateway.rules import alerting
from services.gateway.rules.alerting import Alert
from services.gateway.rules.asked import Acceptance, Asked, Unstorable
from services.gateway.store import alerts as store
from services.gateway.store import directory, reading

log = logs.get(__name__)

TENANT: Final = "default"
"""Whose directory the persons of the setting are in."""


class Nobody(Exception):
    """`alerts.recipients` is empty: nobody is to be told."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the alerts: `told` now, `repeated` (told before), `held` back (too many of their name in this
    hour), `dropped` (about alerts' own notifications); and the notifications that tell them."""

    told: int
    repeated: int
    held: int
    dropped: int
    notifications: tuple[UUID, ...]

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


class Telling:
    """Makes notifications of alerts, `per_hour` of one name at most."""

    def __init__(self, settings: Settings, database: Database, writer: Writer, per_hour: int) -> None:
        self._told = settings.notifications
        self._database = database
        self._writer = writer
        self._per_hour = per_hour

    async def tell(self, alerts: Sequence[Alert]) -> Taken:
        """Asks for them, for each of `alerts.recipients`. Raises Nobody, and CannotAccept of the outbox: come back."""
        recipients = tuple(dict.fromkeys(self._told.alerts.recipients))
        if not recipients:
            raise Nobody
        async with self._database.transaction() as connection:
            sorted = await _sorted(connection, alerts, self._per_hour)
            emails = await self._with_email(connection, recipients)
        asked = [[_asked(alert, recipient, recipient in emails) for recipient in recipients] for alert in sorted.told]
        results = iter(await self._writer.accept([one for ones in asked for one in ones]) if asked else [])
        first = [[one.id for one in ones if _is_first(one, next(results))] for ones in asked]
        told = sum(1 for ids in first if ids)
        ids = tuple(id for ids in first for id in ids)
        return Taken(told, len(first) - told, sorted.held, sorted.dropped, ids)

    async def _with_email(self, connection: Connection, recipients: Sequence[str]) -> set[str]:
        """The persons whom an email would reach: to all others a bell alone, instead of a mail that is rejected."""
        if not self._told.email.enabled:
            return set()
        keys = {f"{TENANT}/{one}": one for one in recipients if alerting.channel_of(one) is Channel.INAPP}
        found = await directory.several(connection, RECIPIENTS.name, list(keys))
        return {keys[one.key] for one in found if one.value and from_json(one.value).get("email")}


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


def _asked(alert: Alert, recipient: str, has_email: bool) -> Asked:
    id = alerting.id_of(TENANT, alert, recipient)
    return Asked.of(id, TENANT, alerting.OWNER, alerting.request(alert, recipient, has_email))


def _is_first(asked: Asked, result: object) -> bool:
    """Another text under the same id is a repeat, too: figures in it change while an alert goes on."""
    if isinstance(result, Unstorable):
        log.error("alert_not_storable", id=str(asked.id))
    return isinstance(result, Acceptance) and result.first
