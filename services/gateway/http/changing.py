"""A change of the directory: its topic is the truth, so that it is answered once Kafka has it."""

from contracts import events
from contracts.topics import Topic
from kit.bus.publisher import PublishFailed
from kit.bus.record import Outgoing
from services.gateway.http.desk import Desk
from services.gateway.http.problems import unavailable
from services.gateway.store import directory
from services.gateway.store.directory import Version


class Changing:
    """Reads and changes the objects of one compacted topic."""

    def __init__(self, desk: Desk, topic: Topic) -> None:
        self._desk = desk
        self._topic = topic

    async def known(self, key: str) -> Version | None:
        """The object as it is known here, a tombstone too; None when it never was."""
        async with self._desk.front.connection() as connection:
            return await directory.get(connection, self._topic.name, key)

    async def put(self, told: events.OfDirectory) -> Version | None:
        """Publishes, and waits for it to be in force here. None: that takes longer. Raises Problem 503."""
        await self._publish(told)
        return await self._desk.until(lambda: self._in_force(told))

    async def forget(self, tenant: str, path: str) -> bool:
        """Publishes that it is gone, and waits for that; False: it takes longer. Raises Problem 503."""
        gone = events.Tombstone(tenant=tenant, path=path)
        await self._publish(gone)
        return bool(await self._desk.until(lambda: self._is_gone(gone.key)))

    async def _publish(self, event: events.OfDirectory) -> None:
        try:
            await self._desk.publisher.publish([Outgoing(self._topic, event)])
        except PublishFailed:
            raise unavailable("Kafka", seconds=5) from None

    async def _in_force(self, told: events.OfDirectory) -> Version | None:
        """This change, or one that came after it: commands are ordered by time."""
        version = await self.known(told.key)
        return version if version and version.command and told.command and version.command >= told.command else None

    async def _is_gone(self, key: str) -> bool | None:
        version = await self.known(key)
        return True if version is not None and version.value is None else None
