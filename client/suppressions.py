"""Addresses to which nothing is sent any more. Needs a token of an admin of the tenant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from urllib.parse import quote

from .errors import NotFound
from .rest import Tocsin
from .shapes import Answer

PATH: Final = "/v1/admin/suppressions"


class SuppressedSeen(Answer):
    """One of them, and why; `to` is there while somebody still knows the address behind the hash."""

    id: str
    channel: str
    to: str | None = None
    reason: str
    code: str | None = None
    created_at: datetime
    by: str | None = None


class Suppressions:
    """`Suppressions(tocsin).lift("ann@example.org")`. Raises TocsinError like everything of its connection."""

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin

    def all(self, **narrowed: str) -> Iterator[SuppressedSeen]:
        """The newest first; narrowed by `channel`, `to`, `created_after`, `created_before`."""
        return self._tocsin.items(SuppressedSeen, PATH, narrowed)

    def add(self, channel: str, to: str) -> SuppressedSeen:
        """Nothing more is sent to this address."""
        return self._tocsin.ask(SuppressedSeen, "POST", PATH, json={"channel": channel, "to": to})

    def lift(self, which: str) -> SuppressedSeen:
        """It is sent to again; by its id, or by the address. Raises NotFound."""
        found = self._found(which)
        self._tocsin.delete(f"{PATH}/{quote(found.id, safe='')}")
        return found

    def _found(self, which: str) -> SuppressedSeen:
        if "@" in which or which.startswith("+"):
            there = next(self.all(to=which), None)
            if there is None:
                raise NotFound(404, "not_found", f"{which} is not suppressed")
            return there
        return self._tocsin.ask(SuppressedSeen, "GET", f"{PATH}/{quote(which, safe='')}")
