"""How long a notification lives that names no end of its own (P3.7)."""

from typing import Final

from contracts.lives import DEFAULT_LIFE

LIVES: Final = {lane: life.total_seconds() for lane, life in DEFAULT_LIFE.items()}
"""Seconds after the planned instant, or the acceptance."""

LONG_PAST: Final = 45 * 60.0
"""Seconds past its expiry after which an open notification is asked about: intake has ended it by then (P3.7)."""
