"""What a provider calls back comes early, late, twice and in any order; it is written down, and said in its turn."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from contracts.events import Event, Receipt, Taken
from contracts.status import Status
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.delivery import events
from kit.delivery.called_back import Callbacks, CalledBack
from kit.delivery.store import receipts as store
from kit.delivery.store.receipts import Place
from kit.metrics import Metrics
from kit.postgres import Connection, Database
from kit.service import Repeating
from kit.stage import Message

EVERY: Final = 1.0
MOST: Final = 500
PAGES: Final = 10
"""Full pages that are said between two looks for proofs: a flood keeps nobody's proof waiting until its next try."""
AGE: Final = timedelta(days=30)
NOBODY: Final[Mapping[str, float]] = MappingProxyType({})


class Receipts(Repeating):
    """The handler of a stage on `notifications.receipts`, and the loop that says what follows.

    `meaning` is the provider's rule: what a receipt makes of a message that was handed over, or nothing at all; `asked`
    are those providers that can be asked, and in how many seconds. A receipt of a message whose claim has no `sent` yet
    waits for it, or proves it. A status moves forward only: undelivered may still become delivered, and nothing follows
    delivered but what blames the address, which is said by the same event once more.
    """

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        meaning: Callable[[Receipt], CalledBack | None],
        metrics: Metrics,
        asked: Mapping[str, float] = NOBODY,
    ) -> None:
        super().__init__("receipts", self._is_more, EVERY)
        self._database = database
        self._publisher = publisher
        self._meaning = meaning
        self._metrics = metrics
        self._asked = asked
        self._pages = 0
        """Looks in a row that found all they could take. What is proven is seldom, and looked for among all: with
        one page of several, and not with each."""

    async def take(self, connection: Connection, messages: Sequence[Message]) -> Sequence[Outgoing]:
        """A batch, in one statement; whatever its order and its repeats."""
        heard: dict[Place, Callbacks] = {}
        for receipt in (message.event for message in messages if isinstance(message.event, Receipt)):
            if meant := self._meaning(receipt):
                one = Callbacks(meant.result, receipt.received_at, receipt.code, meant.suppress, receipt.provider_id)
                place = receipt.id, receipt.try_
                heard[place] = heard[place].and_then(one) if place in heard else one
        if heard:
            await store.keep(connection, heard)
        return ()

    def committed(self, _: Sequence[Outgoing]) -> None:
        """There may be something to say."""
        self.wake()

    async def once(self) -> int:
        """One look: what can be said is written into the claims and said; how much of it Kafka has."""
        async with self._database.connection() as connection:
            if not await store.is_any(connection):
                return 0
            if self._pages % PAGES == 0:
                await store.prove(connection, MOST, self._asked)
            await store.apply(connection, MOST)
            arrivals = await store.arrivals(connection, MOST)
        told = [(one, events.unsaid(one.unsaid)) for one in arrivals]
        if said := await self._publisher.heard([(pair, Outgoing.of(pair[1])) for pair in told]):
            self._count([event for _, event in said])
            async with self._database.connection() as connection:
                await store.said(connection, [one for one, _ in said])
        self._pages = self._pages + 1 if len(said) == MOST else 0
        return len(said)

    def _count(self, said: Iterable[Event]) -> None:
        arrived = Counter((x.status, x.channel or "", x.provider or "") for x in said if isinstance(x, Taken))
        for (status, channel, provider), n in arrived.items():
            count = self._metrics.delivered if status is Status.DELIVERED else self._metrics.undelivered
            count(channel, provider, n)

    async def _is_more(self) -> bool:
        return await self.once() == MOST


async def forget_receipts(database: Database, *, age: timedelta = AGE) -> int:
    """Deletes those whose message was never recorded as sent, such as of a claim that is gone; how many."""
    async with database.connection() as connection:
        return await store.forget(connection, age)
