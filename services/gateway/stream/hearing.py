"""Whose streams went on, as Kafka tells it: a hint to look, never what is told (P6.4)."""

from collections.abc import Iterable
from typing import Final

from pydantic_core import from_json

from contracts import events as e
from contracts.status import Channel
from kit.bus.record import Received
from services.gateway.store.inbox import Person
from services.gateway.stream.hints import Heard, farther

INAPP: Final = b'"channel":"inapp"'
"""How each event of the channel is written; what is of another is not even read."""


def of_records(records: Iterable[Received]) -> Heard:
    """Whose streams these records of `sent` are about, and how far they went. What cannot be read is others'."""
    values = [record.value for record in records if record.value and INAPP in record.value]
    return _heard(filter(None, map(_step, values)))


def of_events(events: Iterable[e.Event]) -> Heard:
    """The same for what this gateway says itself."""
    return _heard(
        ((event.tenant, event.user_id), event.offset)
        for event in events
        if isinstance(event, e.Sent | e.InboxChanged) and event.channel is Channel.INAPP and event.user_id
    )


def _heard(steps: Iterable[tuple[Person, int | None]]) -> Heard:
    heard: Heard = {}
    for person, upto in steps:
        heard[person] = farther(heard.get(person, 0), upto)
    return heard


def _step(value: bytes) -> tuple[Person, int | None] | None:
    try:
        event = from_json(value)
    except ValueError:
        return None
    user = event.get("user_id") if isinstance(event, dict) else None
    if not user:
        return None
    upto = event.get("offset")
    return (str(event.get("tenant", "default")), str(user)), upto if isinstance(upto, int) else None
