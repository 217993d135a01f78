"""Keys for programs, and what admins did. Needs a token of an admin of the tenant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from .calls import ID
from .errors import NotFound
from .rest import Tocsin
from .shapes import Answer, plain

KEYS: Final = "/v1/admin/api-keys"
AUDIT: Final = "/v1/admin/audit"


class KeySeen(Answer):
    """A key; `shown` are its first characters, `key` is there once, when it is made."""

    id: str
    name: str
    scopes: tuple[str, ...]
    shown: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    key: str | None = None


class Deed(Answer):
    """Something that an admin did; without `status` nobody knows how it ended."""

    id: str
    at: datetime
    who: str
    method: str
    path: str
    status: int | None = None
    detail: str | None = None


class Access:
    """`Access(tocsin).make("billing", ["send", "read"]).key`. Raises TocsinError like everything of its connection."""

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin

    def keys(self) -> Iterator[KeySeen]:
        """All of the tenant, revoked ones too, the newest first."""
        return self._tocsin.items(KeySeen, KEYS)

    def make(self, name: str, scopes: Sequence[str], expires_at: datetime | str | None = None) -> KeySeen:
        """A new one: its `key` is shown this once. Raises Refused for scopes that there are not."""
        asked: dict[str, Any] = {"name": name, "scopes": list(scopes)}
        if expires_at is not None:
            asked["expires_at"] = expires_at
        return self._tocsin.ask(KeySeen, "POST", KEYS, json=plain(asked))

    def revoke(self, id: str) -> None:
        """It opens nothing any more. Raises NotFound."""
        if not ID.fullmatch(id):
            raise NotFound(404, "not_found", f"“{id}” is no id of a key")
        self._tocsin.delete(f"{KEYS}/{id}")

    def deeds(self, **narrowed: str) -> Iterator[Deed]:
        """The audit, the newest first; narrowed by `who`, `path`, `created_after`, `created_before`."""
        return self._tocsin.items(Deed, AUDIT, narrowed)
