"""What a batch of timers has to say, said to Kafka; and what is to be done with those that were not heard."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from uuid import UUID

from contracts import events as e
from kit import logs
from kit.bus.publisher import Publisher, PublishFailed
from kit.bus.record import Outgoing
from kit.tracing import Tracer
from services.scheduler.rules import timers as rules
from services.scheduler.rules.refusals import refused as ended
from services.scheduler.rules.timers import Timer

log = logs.get(__name__)


async def say(publisher: Publisher, timers: Sequence[Timer], straggling: float | None = None) -> list[Timer]:
    """The timers whose word Kafka has not acknowledged in time (kit/bus/publisher.py), to be put back.

    A word that is refused for what it is would be refused every time: its notification ends, on `failed`.
    """
    words = {timer.id: word for timer in timers if (word := _word(timer))}
    unheard, never = await published(publisher, words.values(), straggling)
    refused = {word.subject: why for word, why in never}
    ends = {timer.id: end for timer in timers if timer.id in refused and (end := _end(timer, refused[timer.id]))}
    unended, unendable = await published(publisher, ends.values(), straggling)
    said = (words.keys() - unheard - refused.keys()) | (ends.keys() - unended - {word.subject for word, _ in unendable})
    return [rules.failed_again(timer) for timer in timers if timer.id not in said]


async def published(
    publisher: Publisher, words: Iterable[Outgoing], straggling: float | None = None
) -> tuple[set[UUID], list[tuple[e.Event, Exception]]]:
    """The subjects of the words that Kafka may not have, and the words that it never will, with its reason."""
    out = list(words)
    if not out:
        return set(), []
    try:
        await publisher.publish(out, straggling=straggling)
    except PublishFailed as error:
        log.warning("firing_not_acknowledged", count=len(error.failed), error=str(error))
        return {word.event.subject for word, _ in error.unheard}, [(word.event, why) for word, why in error.refused]
    return set(), []


async def ask(publisher: Publisher, tracer: Tracer, words: Iterable[e.Event]) -> set[UUID]:
    """Says what nobody has asked for, its time has come; the subjects of what Kafka may not have. A request begins a
    trace, and one that Kafka refuses for what it is ends on `failed`."""
    with _traced(tracer, words) as said:
        unheard, refused = await published(publisher, map(Outgoing.of, said))
    ends = [ended(word, why) for word, why in refused if isinstance(word, e.Requested)]
    unended, _ = await published(publisher, map(Outgoing.of, ends))
    return unheard | unended


@contextmanager
def _traced(tracer: Tracer, words: Iterable[e.Event]) -> Iterator[list[e.Event]]:
    """The same words; each that asks for a notification has a trace, which begins here: nobody else asked for it."""
    said = list(words)
    begun = tracer.begin("fire", (word.id for word in said if isinstance(word, e.Requested)))
    with ExitStack() as until_heard:
        for entry in begun.values():
            until_heard.enter_context(entry)
        yield [_within(word, begun[word.subject].trace) if word.subject in begun else word for word in said]


def _within(word: e.Event, trace: str | None) -> e.Event:
    return word.model_copy(update={"trace": trace})


def _word(timer: Timer) -> Outgoing | None:
    """None for a timer that cannot say anything (its body is unreadable): it stays, and we say so."""
    try:
        return Outgoing.of(rules.said(timer))
    except ValueError as error:
        log.error("timer_cannot_fire", id=str(timer.id), error=type(error).__name__)
        return None


def _end(timer: Timer, reason: Exception) -> Outgoing | None:
    end = rules.ended(timer, reason)
    return Outgoing.of(end) if end else None
