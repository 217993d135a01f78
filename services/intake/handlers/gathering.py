"""What a batch needs to know, each kind by one statement: requests, people, templates."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from uuid import UUID

from contracts import local_time
from contracts.request import NotificationRequest
from contracts.suppression import Suppression
from kit import logs
from kit.postgres import Connection
from services.intake.rules.facts import Found, Person, Tenanted, Wishes
from services.intake.rules.limits import NO_CAPS, Caps, Recipient, Usage, recipient_of
from services.intake.rules.row import Row, State, stored
from services.intake.rules.suppressing import suppression_name
from services.intake.store import directory, preferences, rows, suppressions, usage

log = logs.get(__name__)


@dataclass(slots=True)
class Wanted:
    """The names that a batch mentions, and addresses; recipients only where they have limits. `digests`: templates by
    category."""

    people: set[Tenanted] = field(default_factory=set)
    templates: set[Tenanted] = field(default_factory=set)
    versions: set[Tenanted] = field(default_factory=set)
    recipients: set[Recipient] = field(default_factory=set)
    addresses: set[Tenanted] = field(default_factory=set)
    caps: Caps = NO_CAPS
    digests: Mapping[str, str] = field(default_factory=dict)

    def by_request(self, tenant: str, request: NotificationRequest) -> None:
        """It may be judged."""
        if request.user_id:
            self.people.add((tenant, request.user_id))
        if request.to:
            self.addresses.add((tenant, request.to))
        if request.template:
            self.templates.add((tenant, request.template))
        if self.caps:
            self.recipients.add(recipient_of(tenant, request))

    def by_rows(self, found: Iterable[Row]) -> None:
        """What waits may be judged anew; what was handed over may have to say its content again."""
        for row in found:
            if row.state is State.WAITING and row.request is not None:
                self.by_request(row.tenant, row.request)
                if row.digest and (template := self.digests.get(row.request.category or "")):
                    self.templates.add((row.tenant, template))
            elif row.state is State.HANDED and row.frozen and row.frozen.template:
                self.versions.add((row.tenant, row.frozen.template))

    async def people_known(self, connection: Connection) -> dict[Tenanted, Person]:
        found = await directory.people(connection, self.people) if self.people else {}
        return {name: _of_a_known_zone(person) for name, person in found.items()}

    async def wishes_known(self, connection: Connection) -> dict[Tenanted, Wishes]:
        return await preferences.wishes(connection, self.people) if self.people else {}

    async def usage_known(self, connection: Connection) -> Usage:
        """Locked: what is counted by this batch is counted by no other meanwhile (P3.1)."""
        return Usage(await usage.lock(connection, self.recipients) if self.recipients else {})

    async def suppressed_known(
        self, connection: Connection, people: Mapping[Tenanted, Person]
    ) -> dict[Tenanted, Suppression]:
        """Of all addresses that anything may be sent to."""
        found = set(self.addresses)
        for (tenant, _), person in people.items():
            found.update((tenant, address) for address in (person.email, person.phone) if address)
        names = {(tenant, name) for tenant, address in found if (name := suppression_name(address))}
        return await suppressions.among(connection, names) if names else {}

    async def templates_known(self, connection: Connection) -> dict[Tenanted, Found]:
        if not self.templates and not self.versions:
            return {}
        return await directory.templates(connection, self.templates, self.versions)


def _of_a_known_zone(person: Person) -> Person:
    """Who lives in a zone that this machine does not know is told the time of the installation."""
    return person if person.time_zone is None or _is_known(person.time_zone) else replace(person, time_zone=None)


@lru_cache(maxsize=4096)
def _is_known(time_zone: str) -> bool:
    """Whoever wrote it may have newer zone data, or be no service of ours. Complained of once."""
    try:
        local_time.zone(time_zone)
    except local_time.BadTime as error:
        log.warning("time_zone_unknown", problem=str(error))
        return False
    return True


async def with_requests(connection: Connection, found: Mapping[UUID, Row], ids: Collection[UUID]) -> dict[UUID, Row]:
    """The rows, those of `ids` with their requests: content is needed of them."""
    needed = [id for id in ids if id in found and found[id].is_open]
    if not needed:
        return dict(found)
    texts = await rows.bodies(connection, needed)
    return {id: loaded(row, texts.get(id)) for id, row in found.items()}


def loaded(row: Row, body: bytes | None) -> Row:
    """The row with its request, read once; without it where today's version cannot read it: nobody else is stopped."""
    if body is None:
        return row
    try:
        return row._replace(body=body, request=stored(body))
    except (ValueError, TypeError, AttributeError) as error:
        log.error("request_unreadable", id=str(row.id), error=type(error).__name__)
        return row
