"""What Kafka will never take is kept as poison, and what it was about ends: nobody waits for its expiry (P7)."""

from collections.abc import Iterable, Sequence
from typing import Final

from contracts.events import Due, Failed, Poison
from contracts.status import Status
from kit import logs
from kit.bus.publisher import Failure, Publisher, PublishFailed
from kit.bus.record import Outgoing
from kit.poison import poison_of_outgoing
from kit.reading import in_full

REMEDY: Final = "body: Kafka takes no record of this size: shorten it, or send a link instead of an attachment"

log = logs.get(__name__)


async def publish(publisher: Publisher, out: Sequence[Outgoing]) -> None:
    """Publishes `out`; instead of what is refused for what it is, its report and the end of its notification.

    Raises PublishFailed where anything else is not acknowledged: the same is to be said again.
    """
    try:
        await publisher.publish(out)
    except PublishFailed as failure:
        if len(failure.refused) < len(failure.failed):
            raise
        log.error("events_refused_by_kafka", topics=[one.topic.name for one, _ in failure.refused])
        await publish(publisher, list(said_instead(failure.refused, publisher.source)))


def said_instead(refused: Iterable[Failure], service: str) -> Iterable[Outgoing]:
    """The report of each, and the end of each hand-over; nothing for a report, which would be refused as well."""
    for outgoing, error in refused:
        if not isinstance(outgoing.event, Poison):
            yield Outgoing.of(poison_of_outgoing(outgoing, in_full(error), service))
        if isinstance(outgoing.event, Due) and outgoing.event.end is None:
            yield Outgoing.of(_end(outgoing.event, error))


def _end(due: Due, error: Exception) -> Failed:
    """No sender has seen it, nor will any: the end is its speaker's."""
    unwritable = isinstance(error, ValueError)
    return Failed(
        **due.passed_on(),
        outcome=Status.REJECTED,
        reason="invalid" if unwritable else "too_large",
        detail="body: holds what cannot be written as JSON" if unwritable else REMEDY,
        try_=due.try_,
    )
