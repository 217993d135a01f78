"""Under which words a notification is found again: its address, its metadata, and a status that few have (P6.6)."""

import hashlib
from collections.abc import Mapping
from typing import Any

from contracts import addresses
from contracts.request import NotificationRequest
from contracts.status import Status

LONGEST = 64
"""Bytes of a value; longer ones are found by their hash."""

ADDRESS = "to"
METADATA = "metadata."
STATUS = "status"

MARKED = frozenset(Status) - {Status.ACCEPTED, Status.SENT, Status.DELIVERED}
"""Statuses under which a notification is found for good, also when it has gone on: no index holds a status, since every
change of it would be written into all indexes."""

MARKS = {status.rank: status.value for status in MARKED}


def keys_of(request: NotificationRequest) -> tuple[tuple[str, str], ...]:
    """The (key, value) pairs of a request."""
    return _keys(request.to, request.metadata)


def keys_of_fields(asked: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The same of a request as it came, which nobody has read since."""
    return _keys(plain(asked.get("to")), asked.get("metadata"))


def plain(to: str | None) -> str | None:
    """An address as it came, written as it was understood; as it is where it was not."""
    try:
        return (addresses.email if "@" in to else addresses.phone)(to) if to else None
    except addresses.BadAddress:
        return to


def _keys(to: str | None, metadata: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    if to is None and not metadata:
        return ()
    found = [(ADDRESS, address(to))] if to else []
    found += [(f"{METADATA}{name}", word(value)) for name, value in (metadata or {}).items()]
    return tuple(found)


def address(text: str) -> str:
    """An address as it is compared: mailboxes differ by more than their case nowhere any more."""
    return word(text.strip().lower())


def word(text: str) -> str:
    """A value as it is compared: as it is, or the hash of a long one."""
    return text if len(text.encode()) <= LONGEST else hashlib.sha256(text.encode()).hexdigest()
