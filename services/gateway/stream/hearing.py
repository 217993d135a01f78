"""Whose streams went on, as Kafka tells it: a hint to look, never what is told (P6.4)."""

from collections.abc import Iterable
from typing import Final

from pydantic_core import from_json

from contracts import events as e
from contracts.status import Channel
from kit.bus.record import Received
from services.gateway.store.inbox import Person

INAPP: Final = b'"channel":"inapp"'
"""How each event of the channel is written; what is of another is not even read."""


def of_records(records: Iterable[Received]) -> set[Person]:
    """Whose streams these records of `sent` are about. What cannot be read is others' business."""
    values = [record.value for record in records if record.value and INAPP in record.value]
    return {person for value in values if (person := _person(value))}


def of_events(events: Iterable[e.Event]) -> set[Person]:
    """The same for what this gateway says itself."""
    return {
        (event.tenant, event.user_id)
        for event in events
        if isinstance(event, e.Sent | e.InboxChanged) and event.channel is Channel.INAPP and event.user_id
    }


def _person(value: bytes) -> Person | None:
    try:
        event = from_json(value)
    except ValueError:
        return None
    user = event.get("user_id") if isinstance(event, dict) else None
    return (str(event.get("tenant", "default")), str(user)) if user else None
