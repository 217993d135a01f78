"""Under which words a notification is found again: its address, its metadata, and a status that few have (P6.6)."""

import hashlib

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
    if request.to is None and not request.metadata:
        return ()
    found = [(ADDRESS, address(request.to))] if request.to else []
    found += [(f"{METADATA}{name}", word(value)) for name, value in (request.metadata or {}).items()]
    return tuple(found)


def address(text: str) -> str:
    """An address as it is compared: mailboxes differ by more than their case nowhere any more."""
    return word(text.strip().lower())


def word(text: str) -> str:
    """A value as it is compared: as it is, or the hash of a long one."""
    return text if len(text.encode()) <= LONGEST else hashlib.sha256(text.encode()).hexdigest()
