"""How long a notification lives that names no end of its own (P3.7)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from contracts.status import Lane

DEFAULT_LIFE: Final[Mapping[Lane, timedelta]] = {
    Lane.URGENT: timedelta(hours=1),
    Lane.NORMAL: timedelta(hours=72),
    Lane.BULK: timedelta(hours=72),
}
"""How long after its latest planned instant it may still be sent."""
