"""Where a notification stands in lists: by the time of its acceptance, as the ids themselves are random."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LAST_80_BITS: Final = (1 << 80) - 1


def place_of(accepted_at: datetime, id: UUID) -> UUID:
    """48 bits of time like a UUIDv7, then the id's own last 80 bits: what `place_of` of the schema answers."""
    return UUID(int=(accepted_at - _EPOCH) // _MILLISECOND << 80 | id.int & _LAST_80_BITS)
