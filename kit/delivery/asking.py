"""What a provider never called back is asked for: a few times, ever more rarely, and then no more (P5.9)."""

import asyncio
from collections.abc import Callable
from typing import Final

from contracts.events import Receipt
from contracts.status import Channel
from kit import logs
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.clock import utc_now
from kit.delivery.awaiting import due_to_be_asked
from kit.delivery.called_back import CalledBack
from kit.delivery.provider import Answer, Askable
from kit.delivery.rules import Result
from kit.delivery.store.awaiting import Awaited, is_anybody_due
from kit.postgres import Database
from kit.service import Repeating

EVERY: Final = 1.0
"""Seconds between two rounds of ours; in each a provider is asked of as many messages as all of us together may ask in
one second, less what others have asked in it."""

log = logs.get(__name__)


class Asking(Repeating):
    """The loop that asks one provider, and says what it answered as its call would have been said.

    Several may run at once, a row is asked for by one of them. An ask whose answer is lost, with us or with the
    provider, is not made up for: the next one is.
    """

    def __init__(
        self,
        channel: Channel,
        provider: Askable,
        database: Database,
        publisher: Publisher,
        meaning: Callable[[Receipt], CalledBack | None],
    ) -> None:
        """`meaning` as of `Receipts`: what says nothing new is not said."""
        super().__init__(f"asking {provider.name}", self._round, EVERY)
        self._channel = channel
        self._provider = provider
        self._database = database
        self._publisher = publisher
        self._meaning = meaning

    async def _round(self) -> None:
        await self.once()

    async def once(self) -> int:
        """One round; how many of them were answered with news."""
        asked = await self._due()
        answers = await asyncio.gather(*(self._became(one) for one in asked))
        receipts = [self._receipt(one, told) for one, told in zip(asked, answers, strict=True) if told]
        news = [Outgoing.of(receipt) for receipt in receipts if self._is_news(receipt)]
        if asked:
            log.info("receipts_asked_for", provider=self._provider.name, asked=len(asked), news=len(news))
        if news:
            await self._publisher.publish(news)
        return len(news)

    async def _due(self) -> list[Awaited]:
        async with self._database.connection() as connection:
            if not await is_anybody_due(connection, self._provider.name):
                return []
        async with self._database.transaction() as connection:
            return await due_to_be_asked(connection, self._provider)

    async def _became(self, one: Awaited) -> Answer | None:
        """A mistake of one provider's client over one message costs the others of the round nothing."""
        try:
            return await self._provider.became(one.provider_id)
        except Exception:
            log.exception("provider_failed", provider=one.provider, id=str(one.id))
            return None

    def _is_news(self, receipt: Receipt) -> bool:
        """Asked is of what was taken: that it was is none."""
        meant = self._meaning(receipt)
        return meant is not None and meant.result is not Result.SENT

    def _receipt(self, one: Awaited, told: Answer) -> Receipt:
        return Receipt.model_validate(
            {
                "tenant": one.tenant,
                "id": one.id,
                "channel": self._channel,
                "try": one.try_,
                "provider": one.provider,
                "status": told.status,
                "code": told.code,
                "provider_id": one.provider_id,
                "received_at": utc_now(),
            }
        )
