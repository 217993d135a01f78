"""Last two steps: what was decided is published; only what Kafka acknowledged is finished."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from contracts.events import Event, Failed, Retry, Sent
from kit import logs
from kit.bus.publisher import Publisher, PublishFailed, is_refusal
from kit.bus.record import Outgoing
from kit.delivery import events
from kit.delivery.pipe.delivery import about
from kit.delivery.store import claims
from kit.delivery.store.results import Written
from kit.engine import Ticket
from kit.metrics import Metrics
from kit.postgres import Database, fate
from kit.refused import said_instead

AGAIN_SECONDS: Final = 0.5

log = logs.get(__name__)


@dataclass(slots=True, eq=False)
class Word:
    """An event, and the record that is done with once Kafka has it."""

    event: Event
    ticket: Ticket


class Ways(Protocol):
    """Where words go from here: back."""

    def say_word(self, word: Word) -> None: ...
    def say_later(self, seconds: float, word: Word) -> None: ...


class Saying:
    """Publishes words in batches, each until it is acknowledged or nobody wants it here any more."""

    def __init__(self, database: Database, publisher: Publisher, metrics: Metrics, ways: Ways) -> None:
        self._database = database
        self._publisher = publisher
        self._metrics = metrics
        self._ways = ways

    async def work(self, words: list[Word]) -> None:
        """One batch. One record that Kafka refuses, or one partition that is away, holds up no other."""
        outgoing = [Outgoing.of(word.event) for word in words]
        failed: dict[int, Exception] = {}
        try:
            await self._publisher.publish(outgoing)
        except PublishFailed as failure:
            failed = {id(one): error for one, error in failure.failed}
        self._done([word for word, one in zip(words, outgoing, strict=True) if id(one) not in failed])
        for word, one in zip(words, outgoing, strict=True):
            if error := failed.get(id(one)):
                await self._failed(word, one, error)

    def _done(self, words: Sequence[Word]) -> None:
        for word in words:
            word.ticket.finish()
        for (count, *labels), n in Counter(self._counted(word.event) for word in words).items():
            count(*labels, n)

    async def _failed(self, word: Word, outgoing: Outgoing, error: Exception) -> None:
        if is_refusal(error):
            await self._refused(word, outgoing, error)
        else:
            self._later(word)

    def _later(self, word: Word) -> None:
        if word.ticket.wanted:
            self._ways.say_later(AGAIN_SECONDS, word)
        else:
            word.ticket.release()

    async def _refused(self, word: Word, outgoing: Outgoing, error: Exception) -> None:
        """It would be refused every time. A `retry` that is too large becomes an end; anything else is reported, and
        what it was about ends by its expiry, as intake sees to (P3.7, P7)."""
        log.error("event_refused_by_kafka", topic=outgoing.topic.name, id=str(word.event.subject))
        if isinstance(word.event, Retry) and not isinstance(error, ValueError):
            await self._end(word, word.event)
        elif instead := list(said_instead([(outgoing, error)], self._publisher.source)):
            self._ways.say_word(Word(instead[0].event, word.ticket))
        else:
            word.ticket.finish()

    async def _end(self, word: Word, retry: Retry) -> None:
        """Written before it is said, so that a repeat, or an end that is asked for later, says the same (P5.1). Where
        the claim came to something else meanwhile, that is said by whoever wrote it."""
        conclusion, event = events.too_large(retry)
        end = Written(retry.id, retry.due.try_, None, conclusion, about(retry), retry.provider)
        try:
            async with self._database.connection() as connection:
                written = await claims.end(connection, [end])
        except Exception as error:
            if fate(error) != "connection":
                log.error("end_not_recorded", exc_info=error)
            self._later(word)
            return
        if written:
            self._ways.say_word(Word(event, word.ticket))
        else:
            word.ticket.finish()

    def _counted(self, event: Event) -> tuple[Any, ...]:
        """The figure, and its labels."""
        match event:
            case Sent():
                return self._metrics.sent, event.channel or "", event.provider or ""
            case Failed():
                return self._metrics.failed, event.channel or "", event.outcome, event.reason
            case Retry():
                return self._metrics.retried, event.channel or "", event.reason
            case _:
                return (_uncounted,)


def _uncounted(_n: int) -> None:
    """Poison was counted when it was read."""
