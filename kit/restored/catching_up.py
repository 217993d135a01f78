"""After a restore: how far the groups have caught up with Kafka, and who may not act before they have."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from contracts.events import named
from contracts.topics import Group
from kit import logs
from kit.bus.record import Partition, Received
from kit.metrics import Metrics
from kit.postgres import Database
from kit.restored import store
from kit.restored.looking import passed_by_now
from kit.restored.rules import Mark
from kit.service import Repeating
from kit.settings import KafkaSettings

EVERY: Final = 1.0
"""Seconds between two looks, while there is anything to be read."""
SAY_AGAIN: Final = 30
"""Looks after which it is said again how much that is."""
CATCHING_UP: Final = "catching_up"
"""What health, the logs and `tocsin status` call it."""

log = logs.get(__name__)


class CatchingUp(Repeating):
    """A part of who acts on time alone. Restored while all services are stopped, so that one look at the start tells
    whether anything was; several instances look side by side, and what one has found read is read for all."""

    def __init__(
        self,
        database: Database,
        kafka: KafkaSettings,
        metrics: Metrics,
        looked: Callable[["CatchingUp"], None] = lambda _: None,
    ) -> None:
        """`looked` is told at the start, and after each look."""
        super().__init__(CATCHING_UP, self.once, EVERY)
        self._metrics = metrics
        self._looked = looked
        self._database = database
        self._kafka = kafka
        self._left: list[Mark] = []
        self._through: Mapping[Partition, int] = {}
        self._groups: list[str] = []
        self._looks = 0

    async def start(self) -> None:
        """Knows, before anything else begins. Raises what the database raises."""
        async with self._database.connection() as connection:
            self._left = await store.left(connection)
        self._through = {(mark.topic, mark.partition): mark.through for mark in self._left}
        self._groups = self._whom()
        self._show()
        await super().start()

    @property
    def over(self) -> bool:
        """Whether everything was read, or nothing was restored: time goes on."""
        return not self._left

    def is_over_for(self, group: Group) -> bool:
        """Whether this group has read again all that it has to."""
        return all(mark.consumer != group.name for mark in self._left)

    def reads_again(self, records: Iterable[Received]) -> bool:
        """Whether one of these was there at the restore, while not everything was read again yet."""
        there = self._through
        return not self.over and any(one.offset < there.get((one.topic, one.partition), 0) for one in records)

    async def once(self) -> bool:
        """One look, while there is anything to look for; never more to do. Raises what Kafka or the database raises:
        then nothing has changed."""
        if self.over:
            return False
        self._say()
        passed = await passed_by_now(self._kafka, self._left)
        async with self._database.connection() as connection:
            await store.passed(connection, passed)
            self._left = await store.left(connection)
        self._show()
        if self.over:
            log.warning("caught_up")
        return False

    def _show(self) -> None:
        left = Counter(mark.consumer for mark in self._left)
        for group in self._groups:
            self._metrics.catching_up(group, left[group])
        self._looked(self)

    def _whom(self) -> list[str]:
        return sorted({mark.consumer for mark in self._left})

    def _say(self) -> None:
        if self._looks % SAY_AGAIN == 0:
            since, count = named(self._left[0].restored_at), len(self._left)
            log.warning("catching_up", restored_at=since, waits_for=self._whom(), partitions=count)
        self._looks += 1
