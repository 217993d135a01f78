"""The same thing said twice has the same name, so that everyone can see the repeat (P1)."""

import hashlib
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic_core import to_json

NAMESPACE: Final = UUID("6f0c2b1e-7d5a-5c43-9d3f-3f6a5e1c8b70")

_KEEP: Final = ~(0xF << 76 | 0x3 << 62)
_VERSION_5: Final = 0x5 << 76 | 0x2 << 62
_VARIANT: Final = {f"{n:x}": f"{n & 3 | 8:x}" for n in range(16)}


def uuid5(namespace: UUID, name: str) -> UUID:
    """What `uuid.uuid5` answers, in half its time: every event needs one."""
    return _uuid5(namespace, name.encode())


def _uuid5(namespace: UUID, name: bytes) -> UUID:
    digest = hashlib.sha1(namespace.bytes + name, usedforsecurity=False).digest()
    return UUID(int=int.from_bytes(digest[:16], "big") & _KEEP | _VERSION_5)


def _named(*parts: str | int) -> UUID:
    """The parts as JSON without blanks, non-ASCII as it is (RFC 8259): what any language's library can write."""
    return _uuid5(NAMESPACE, to_json(parts))


def notification_id(tenant: str, owner: str, key: str) -> UUID:
    """The id of the notification that `owner` ("user:alice", "source:billing") asked for under an idempotency key."""
    kind, _, name = owner.partition(":")
    return _named(tenant, kind, name, key)


def record_id(topic: str, partition: int, offset: int, timestamp: datetime, value: bytes) -> UUID:
    """The id of a record that brought none: its place in Kafka and its content name it."""
    return _named(topic, partition, offset, milliseconds(timestamp), hashlib.sha256(value).hexdigest())


def child_id(parent: UUID, part: str) -> UUID:
    """The id of one channel, one escalation step or one replay of `parent`."""
    return uuid5(parent, part)


def event_id(subject: UUID, kind: str, n: str) -> UUID:
    """The `ce_id` of an event that was derived: repeating a step repeats its events, id for id."""
    return uuid5(subject, f"{kind}/{n}")


def event_id_text(subject: UUID, kind: str, n: str) -> str:
    """The same as text, without the detour of a UUID: each event that is written down needs just this."""
    digest = hashlib.sha1(subject.bytes + f"{kind}/{n}".encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANT[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def firing_id(tenant: str, schedule: str, moment: str, recipient: str) -> UUID:
    """The id of what one recipient gets at one firing of a schedule (P4.4): a firing that is repeated repeats it.

    `moment` is the planned instant in milliseconds, or the id of the command to run it now.
    """
    return _named(tenant, "schedule", schedule, moment, recipient)


def group_id(tenant: str, group: str) -> UUID:
    """The subject under which events about a whole group travel."""
    return _named(tenant, "group", group)


def object_id(tenant: str, kind: str, name: str) -> UUID:
    """The subject of a directory object: a recipient, a preference, a setting, a deadline."""
    return _named(tenant, kind, name)


def fingerprint(body: bytes) -> str:
    """What is compared when the same key comes again: the fields as they were received."""
    return hashlib.sha256(body).hexdigest()


def uuid7(unix_ms: int, randomness: bytes) -> UUID:
    """A time-ordered id (RFC 9562, 5.7) from the time in milliseconds and ten random bytes."""
    value = int.from_bytes(randomness[:10], "big")
    high, low = value >> 68, value & ((1 << 62) - 1)
    return UUID(int=(unix_ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | high << 64 | 0x2 << 62 | low)


def milliseconds(instant: datetime) -> int:
    """Unix time in whole milliseconds, exactly (no float is involved)."""
    whole = int(instant.replace(microsecond=0).timestamp())
    return whole * 1000 + instant.microsecond // 1000
