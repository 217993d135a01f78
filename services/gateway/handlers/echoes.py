"""What comes back from Kafka is known already: the gateway has written it down before it was published (P6.1)."""

from typing import Final
from uuid import UUID

from contracts import events as e
from contracts import trace
from contracts.cloudevents import source_header
from contracts.record import text_of
from contracts.topics import REQUESTED
from kit.bus.record import Received

_TYPE: Final = e.Requested.ce_type.encode()
_SOURCE: Final = source_header("gateway")
_TOPICS: Final = frozenset(topic.name for topic in REQUESTED.values())


class Echo(e.Event):
    """A request that calls itself one of ours, and was not read. Nothing is believed but its id: where we accepted
    that id there is nothing new in it, and else it is to be read. Never published."""

    id: UUID

    @property
    def subject(self) -> UUID:
        return self.id


def echo_of(received: Received) -> Echo | None:
    """The echo that this record is, as far as its headers tell. What belongs to a trace is read, to be a part of it."""
    if received.topic not in _TOPICS or not received.value:
        return None
    named = dict(received.headers)
    if named.get("ce_source") != _SOURCE or named.get("ce_type") != _TYPE or trace.of_headers(named):
        return None
    try:
        return Echo(id=UUID(text_of(named.get("ce_subject"))))
    except ValueError:
        return None
