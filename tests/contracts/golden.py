"""The examples that ship with the contracts, as records that a test can read and write."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from contracts import topics
from contracts.cloudevents import Encoded, Place, decode
from contracts.events import Event
from contracts.generate import EXAMPLES
from contracts.topics import Topic

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
PLACE = Place(partition=3, offset=1187, timestamp=NOON)


@dataclass(frozen=True)
class Golden:
    """One example: a record, and in a sentence what it says."""

    name: str
    what: str
    topic: Topic
    key: bytes | None
    headers: list[tuple[str, bytes]]
    body: dict[str, Any] | None

    @property
    def value(self) -> bytes | None:
        return None if self.body is None else json.dumps(self.body).encode()

    @property
    def record(self) -> Encoded:
        """As it was published."""
        return Encoded(self.key or b"", self.value, self.headers)

    def read(self, **more: Any) -> Event:
        """The event, read from the record with some more fields in its value."""
        value = self.value if not more else json.dumps((self.body or {}) | more).encode()
        event = decode(self.topic, self.key, value, self.headers, PLACE)
        assert event is not None
        return event


def golden(name: str) -> list[Golden]:
    """All examples of one ce_type, or of `outside.request` and the like."""
    found = json.loads((EXAMPLES / f"{name}.json").read_text())
    return [_golden(name, one) for one in found]


def everything() -> list[Golden]:
    """All examples there are."""
    return [one for path in sorted(EXAMPLES.glob("*.json")) for one in golden(path.stem)]


def _golden(name: str, one: dict[str, Any]) -> Golden:
    key = None if one["key"] is None else one["key"].encode()
    headers = [(header, text.encode()) for header, text in one["headers"].items()]
    return Golden(name, one["what"], topics.BY_NAME[one["topic"]], key, headers, one["value"])
