"""After a restore the claims know nothing of what was handed over since the backup: what Kafka heard of it tells them
(P9). What was said to have been sent is not sent again; what was due and of which nobody heard any more is unknown."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from contracts import events as e
from contracts.cloudevents import Undecodable
from contracts.status import Channel
from contracts.topics import Topic
from kit.bus.record import Received
from kit.delivery.pipe.delivery import about
from kit.delivery.rules import IN_FLIGHT, UNKNOWN_OUTCOME, Conclusion, Result
from kit.delivery.store import claims
from kit.delivery.store.results import Written
from kit.postgres import Database

Try = tuple[UUID, int]

AT_ONCE = 1000


@dataclass
class Heard:
    """What was said of each try, in any order."""

    results: dict[Try, Written] = field(default_factory=dict)
    due: dict[Try, datetime] = field(default_factory=dict)
    held: dict[Try, datetime] = field(default_factory=dict)

    def hear_record(self, record: Received, topic: Topic, channel: Channel) -> None:
        """One that nobody can read, or of another channel, says nothing here."""
        with suppress(Undecodable):
            event = record.event(topic)
            if isinstance(event, e.OfNotification) and event.channel is channel:
                self.hear(event, record.timestamp)

    def hear(self, event: e.Event | None, at: datetime) -> None:
        """`at`: when Kafka heard it."""
        match event:
            case e.Due(end=None):
                _newest(self.due, (event.id, event.try_), at)
            case e.Retry(hold=True, reason=why) if why == IN_FLIGHT:
                pass  # the opposite of held back
            case e.Retry(hold=True):
                _newest(self.held, (event.id, event.due.try_), at)
            case e.Retry() | e.Taken():
                self._result(_result_of(event))
            case e.Failed() if event.try_:
                self._result(_result_of(event))

    def unknown(self) -> list[Try]:
        """Tries that were due, were not held back after that, and have no result."""
        return [
            one
            for one, at in self.due.items()
            if one not in self.results and not (one in self.held and self.held[one] >= at)
        ]

    def _result(self, result: Written) -> None:
        was = self.results.get((result.id, result.try_))
        if was is None or _weight(result) > _weight(was):
            self.results[result.id, result.try_] = result


def _newest(times: dict[Try, datetime], one: Try, at: datetime) -> None:
    times[one] = max(times.get(one, at), at)


def _weight(one: Written) -> tuple[bool, bool, bool]:
    """What a provider took, and then what it said of it, is the last word."""
    result = one.conclusion.result
    return result.is_final, result.is_taken, result is not Result.SENT


def _result_of(event: e.Retry | e.Taken | e.Failed) -> Written:
    """The claim as its sender must have left it."""
    try_ = event.due.try_ - 1 if isinstance(event, e.Retry) else event.try_
    if isinstance(event, e.Retry):
        unknown = event.reason == UNKNOWN_OUTCOME
        conclusion = Conclusion(Result.UNKNOWN if unknown else Result.RETRY, event.at, event.unknown, 1, event.reason)
    elif isinstance(event, e.Taken):
        conclusion = Conclusion(
            *(Result(event.status.value), event.at, event.unknown, 1),
            provider_id=event.provider_id,
            segments=event.segments,
            encoding=event.encoding,
        )
    else:
        conclusion = Conclusion(Result(event.outcome.value), None, event.unknown, int(event.attempt > 0), event.reason)
    said = conclusion._replace(detail=event.detail, suppress=getattr(event, "suppress", None))
    return Written(event.id, try_, None, said, about(event), event.provider)


async def rebuild(database: Database, heard: Heard) -> tuple[int, int]:
    """Writes what is missing into the claims of a sender: how many results, and how many tries of unknown fate."""
    results, unknown = sorted(heard.results.values(), key=lambda one: one.id.int), sorted(heard.unknown())
    written = marked = 0
    for begin in range(0, len(results), AT_ONCE):
        async with database.transaction() as connection:
            written += await claims.rebuild(connection, results[begin : begin + AT_ONCE])
    for begin in range(0, len(unknown), AT_ONCE):
        some = [(id, try_, uuid4()) for id, try_ in unknown[begin : begin + AT_ONCE]]
        async with database.transaction() as connection:
            marked += await claims.claim_lost(connection, some)
    return written, marked
