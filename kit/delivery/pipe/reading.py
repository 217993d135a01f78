"""First step: records become deliveries; what nobody can read is reported and done with (P7)."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from contracts.cloudevents import Undecodable
from contracts.events import Due
from contracts.topics import BY_NAME
from kit import logs
from kit.delivery.pipe.delivery import Delivery
from kit.delivery.pipe.route import Route
from kit.delivery.pipe.saying import Word
from kit.engine import Ticket
from kit.metrics import Metrics
from kit.poison import poison_of
from kit.reading import in_full

TOKEN_BYTES: Final = 16
HIGHEST_TRY: Final = 30_000
"""What a table can hold; no policy makes so many."""

log = logs.get(__name__)


class Reading:
    """Tells deliveries from poison. `route_of` says which ways out there are for a `due`."""

    def __init__(self, service: str, route_of: Callable[[Due], Route[Delivery]], metrics: Metrics) -> None:
        self._service = service
        self._route_of = route_of
        self._metrics = metrics

    def read(self, tickets: Sequence[Ticket]) -> tuple[list[Delivery], list[Word]]:
        """The deliveries, and what is to be said about the rest."""
        deliveries: list[Delivery] = []
        words: list[Word] = []
        # One draw for all: each would be a call of the system's.
        luck = os.urandom(TOKEN_BYTES * len(tickets))
        for number, ticket in enumerate(tickets):
            try:
                due = _due(ticket)
            except Undecodable as error:
                words.append(self.poison(ticket, str(error)))
            else:
                if due is None:
                    ticket.finish()
                else:
                    token = UUID(bytes=luck[number * TOKEN_BYTES : (number + 1) * TOKEN_BYTES], version=4)
                    route = self._route_of(due)
                    deliveries.append(Delivery(ticket, due, route, route.outlets[0], token))
        for (channel, lane), count in Counter((one.due.channel or "", one.due.lane) for one in deliveries).items():
            self._metrics.due(channel, lane, count)
        return deliveries, words

    def poison(self, ticket: Ticket, error: str) -> Word:
        """The report about it."""
        received = ticket.received
        log.error("poison", topic=received.topic, place=f"{received.partition}@{received.offset}")
        self._metrics.poison(received.topic)
        return Word(poison_of(received, error, self._service), ticket)


def _due(ticket: Ticket) -> Due | None:
    """None of an event that this version does not know yet. Raises Undecodable."""
    topic = BY_NAME[ticket.received.topic]
    try:
        event = ticket.received.event(topic)
    except Undecodable:
        raise
    except Exception as error:  # whatever else a record may bring a reader to
        raise Undecodable(in_full(error)) from error
    if event is None:
        return None
    if not isinstance(event, Due) or event.try_ > HIGHEST_TRY:
        raise Undecodable("is no due that can be delivered")
    if not event.end and not (event.content and event.content.to):
        raise Undecodable("has neither content with an address nor an end")
    return event
