"""Records become messages; what nobody can read, or store, is passed over and reported once (P7)."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from uuid import UUID

from contracts.cloudevents import Undecodable
from contracts.events import Event, OfNotification, Poison, Ripe
from contracts.topics import BY_NAME
from kit.bus.record import Outgoing, Received
from kit.poison import poison_of

Glance = Callable[[Received], Event | None]
"""What a record is, where its headers alone tell enough; None: it is to be read."""


def no_glance(_: Received) -> None:
    """Every record is to be read."""


class Message(NamedTuple):
    """An event, and the record that carried it."""

    event: Event
    received: Received


class Batch:
    """What became of the records that nobody could read or store."""

    def __init__(self, service: str, glance: Glance = no_glance) -> None:
        self.poison: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self.reports: list[Outgoing] = []
        self.slow: list[tuple[Message, Exception]] = []
        """Those that time out, each alone."""
        self.passed = False
        """Whether any transaction of this batch went through."""
        self._service = service
        self._glance = glance

    def read(self, records: Iterable[Received]) -> list[Message]:
        """The messages; None of an event that this version does not know yet."""
        messages = []
        for received in records:
            try:
                event = self._glance(received) or received.event(BY_NAME[received.topic])
            except Exception as error:  # Undecodable, and whatever else a record may bring a reader to
                self._pass_over(received, error)
            else:
                if event is not None:
                    messages.append(Message(event, received))
        return messages

    def refused(self, message: Message, error: Exception) -> None:
        """The transaction fails on it. A report that fails is not reported: that would go on for ever."""
        self._pass_over(message.received, error, report=not isinstance(message.event, Poison))

    def _pass_over(self, received: Received, error: Exception, *, report: bool = True) -> None:
        self.poison[received.topic] += 1
        self.first.setdefault(received.topic, f"{received.partition}@{received.offset}: {in_short(error)}")
        if report and BY_NAME[received.topic].reporter == self._service:
            self.reports.append(Outgoing.of(poison_of(received, in_full(error), self._service)))


def traced(events: Iterable[Event]) -> Iterator[tuple[UUID, str | None]]:
    """The notifications that these are about, with the traces that they belong to."""
    for event in events:
        if isinstance(event, OfNotification | Ripe) and event.trace:
            yield event.id, event.trace


def in_short(error: BaseException) -> str:
    """For the log: an error's text may quote what the record holds."""
    return " ".join(filter(None, (type(error).__name__, getattr(error, "sqlstate", None))))


def in_full(error: BaseException) -> str:
    """For the report, which holds the record's bytes anyway."""
    return str(error) if isinstance(error, Undecodable) else f"{type(error).__name__}: {error}"
