"""A directory topic that was made anew is written again from what we know of it, each object with its own time (P9)."""

from collections.abc import Collection
from typing import Final

from contracts import events as e
from contracts.topics import BY_NAME
from kit import logs
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.postgres import Database
from kit.service import Repeating
from services.gateway.outbox.asking import Unread
from services.gateway.settings import Pace
from services.gateway.store import directory
from services.gateway.store.directory import Version

AT_ONCE: Final = 500

log = logs.get(__name__)


class Renewing(Repeating):
    """A Part. What is to be written again stands in a table, so that a crash does not forget it."""

    def __init__(self, database: Database, publisher: Publisher, unread: Unread, pace: Pace) -> None:
        super().__init__("renewing", self._once, pace.sweep_every, at_once=False)
        self._unread = unread
        self._known: set[str] | None = None
        self._database = database
        self._publisher = publisher

    async def start(self) -> None:
        """What we knew before anything is read tells whether Kafka has forgotten us."""
        async with self._database.connection() as connection:
            self._known = await directory.known_topics(connection)
        await super().start()

    async def topics_made_anew(self, topics: Collection[str]) -> None:
        """All we know of these is to be published again."""
        log.warning("directory_topics_made_anew", topics=sorted(topics))
        async with self._database.connection() as connection:
            await directory.note_renewal(connection, sorted(topics))

    async def _begin(self) -> None:
        """Once in a life, when our places in the topics are known: those that Kafka says we have never read, and yet
        we knew something of, were lost, and all offsets with them."""
        unread = self._unread()
        if self._known is None or unread is None:
            return
        if lost := self._known & set(unread):
            await self.topics_made_anew(lost)
        self._known = None

    async def _once(self) -> None:
        await self._begin()
        await self.renew()

    async def renew(self) -> None:
        """Publish all that is to be published again."""
        async with self._database.connection() as connection:
            todo = await directory.renewals(connection)
        for topic, done_to in todo:
            await self._renew_topic(topic, done_to)

    async def _renew_topic(self, topic: str, done_to: str) -> None:
        while True:
            async with self._database.connection() as connection:
                versions = await directory.after_key(connection, topic, done_to, AT_ONCE)
            if not versions:
                break
            await self._publisher.publish([_said_again(version) for version in versions])
            done_to = versions[-1].key
            async with self._database.connection() as connection:
                await directory.renewed(connection, topic, done_to)
        async with self._database.connection() as connection:
            await directory.end_renewal(connection, topic, done_to)


def _said_again(version: Version) -> Outgoing:
    topic = BY_NAME[version.topic]
    if version.value is not None:
        return Outgoing(topic, topic.events[0].model_validate_json(version.value), version.as_of)
    path = version.key.removeprefix(f"{version.tenant}/")
    return Outgoing(topic, e.Tombstone(tenant=version.tenant, path=path), version.as_of)
