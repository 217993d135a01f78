"""What nobody can read is kept with its bytes, once, and never stops anybody (P7)."""

import hashlib
from base64 import b64encode
from typing import Final

from contracts import identity
from contracts.events import Poison
from contracts.topics import MESSAGE_BYTES
from kit.bus.record import Outgoing, Received
from kit.clock import utc_now

FIRST_BYTES: Final = 64 * 1024
"""What is kept of a value that is too large to be kept; its SHA-256 stands for the rest."""
ERROR_CHARACTERS: Final = 500

BURST: Final = 100
PER_SECOND: Final = 500.0
LONGEST_PAUSE: Final = 0.5


def poison_of(received: Received, error: str, service: str) -> Poison:
    """The report about a record as it stands in the log: the same one however often it is read."""
    value = received.value or b""
    place = received.topic, received.partition, received.offset, received.timestamp
    return Poison(
        id=identity.record_id(*place, value),
        topic=received.topic,
        partition=received.partition,
        offset=received.offset,
        timestamp=received.timestamp,
        error=_line(error),
        size=len(value),
        sha256=hashlib.sha256(value).hexdigest(),
        value=_kept(value),
        reported_by=service,
    )


def poison_of_outgoing(outgoing: Outgoing, error: str, service: str) -> Poison:
    """The report about an event of ours that Kafka refuses for what it is; it never got a place in a log."""
    text = repr(outgoing.event).encode("utf-8", "backslashreplace")
    return Poison(
        id=identity.event_id(outgoing.event.ce_id, "refused", outgoing.topic.name),
        tenant=outgoing.event.tenant,
        topic=outgoing.topic.name,
        partition=-1,
        offset=-1,
        timestamp=utc_now(),
        error=_line(error),
        size=len(text),
        sha256=hashlib.sha256(text).hexdigest(),
        value=b64encode(text[:FIRST_BYTES]),
        reported_by=service,
    )


def _line(error: str) -> str:
    """An error may quote what made the record poison, and must not spread it: no NUL, no surrogate, no line break."""
    return "".join(c if c.isprintable() else "\ufffd" for c in error[:ERROR_CHARACTERS])


def _kept(value: bytes) -> bytes:
    """Base64, as the event carries it. `failed` takes twice the size of other topics, so that this fits."""
    return b64encode(value if len(value) <= MESSAGE_BYTES else value[:FIRST_BYTES])


class Brake:
    """A flood of poison slows its reader down, so that what it fills is not overrun; it never stops it."""

    def __init__(self, burst: int = BURST, per_second: float = PER_SECOND) -> None:
        self._burst = burst
        self._per_second = per_second
        self._free = float(burst)
        self._at = 0.0

    def pause(self, count: int, now: float) -> float:
        """Seconds to wait after `count` more records of poison, at most LONGEST_PAUSE; 0 unless it is a flood."""
        self._free = min(self._burst, self._free + (now - self._at) * self._per_second) - count
        self._at = now
        wanted, self._free = -self._free / self._per_second, max(self._free, 0.0)
        return min(max(wanted, 0.0), LONGEST_PAUSE)
