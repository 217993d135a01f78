"""What happened to notifications, a line for each, and one writing for each batch of them."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final

from pydantic_core import to_json

from contracts import events as e
from contracts.trace import id_of
from kit.clock import utc_now

LOGGER: Final = "tocsin.facts"
OF_ONE: Final = (e.OfNotification, e.Cancel, e.Move, e.Again, e.Ripe, e.TakeBack, e.Receipt)
"""Events of one notification. What services say of themselves and of the directory is no fact of any."""
TOLD: Final = ("channel", "try_", "attempt", "provider", "outcome", "reason", "at")
"""Fields with words and numbers of ours: none of them can hold an address, a text or a secret."""

logger = logging.getLogger(LOGGER)


class Facts:
    """Events that Kafka has, as one thing to log: they become lines where the level lets them through."""

    def __init__(self, events: Sequence[e.Event]) -> None:
        self.events = events

    def __str__(self) -> str:
        return ", ".join(f"{name_of(event)} {event.subject}" for event in self.events)

    def lines(self, service: str) -> Iterator[tuple[str, bytes]]:
        """The channel that each is about (empty: none), and its line in JSON."""
        time, process = utc_now().isoformat(timespec="milliseconds"), os.getpid()
        for event in self.events:
            said: dict[str, Any] = {"time": time, "level": "info", "service": service, "event": name_of(event)}
            said["id"], said["tenant"] = event.subject, event.tenant
            for field, name in _told(type(event)):
                if (value := getattr(event, field)) is not None:
                    said[name] = value
            if isinstance(event, e.OfNotification | e.Ripe) and event.trace:
                said["trace_id"] = id_of(event.trace)
            said["process"] = process
            yield said.get("channel", ""), to_json(said) + b"\n"


def tell(events: Iterable[e.Event]) -> None:
    """Log those that are about one notification, at the level INFO. They are facts: Kafka has acknowledged them."""
    if logger.isEnabledFor(logging.INFO) and (facts := [event for event in events if isinstance(event, OF_ONE)]):
        logger.info(Facts(facts))


@cache
def _told(event: type[e.Event]) -> tuple[tuple[str, str], ...]:
    """The fields of TOLD that such an event has, and what they are called in its line."""
    return tuple((field, field.rstrip("_")) for field in TOLD if field in event.model_fields)


def name_of(event: e.Event | type[e.Event]) -> str:
    """As the line is called: "sent" for `tocsin.sent`."""
    return event.ce_type.removeprefix("tocsin.")
