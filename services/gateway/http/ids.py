"""Ids: new ones, and those in an address."""

import os
from uuid import UUID

from contracts.identity import uuid7
from kit.clock import unix_ms


def new_id() -> UUID:
    """A time-ordered id for what brought none, and for commands (P1)."""
    return uuid7(unix_ms(), os.urandom(10))


def id_of(text: str) -> UUID | None:
    """The id in a path; None when it is none, which is then not found."""
    try:
        return UUID(text)
    except ValueError:
        return None
