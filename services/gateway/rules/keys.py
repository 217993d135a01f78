"""API keys: how one looks, what is kept of it, and what it opens."""

import hashlib
import zlib
from base64 import b32encode
from typing import Final, Literal, get_args

Scope = Literal["send", "read", "deadlines", "schedules", "directory", "alerts"]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

PREFIX: Final = "tk_"
SECRET_BYTES: Final = 25
_SECRET_LENGTH: Final = 40
_SUM_LENGTH: Final = 8
SHOWN: Final = len(PREFIX) + 6
"""Characters by which people tell keys apart; the rest is shown once."""

OWNER: Final = "key:"
"""Before the name of a key where a token has its `sub`; no token may name itself so."""


def made(secret: bytes) -> str:
    """The key of these SECRET_BYTES random bytes. Its end is a sum: who guesses is told so without a look anywhere."""
    text = b32encode(secret).decode().lower()
    return f"{PREFIX}{text}{_sum(text)}"


def is_one(text: str) -> bool:
    """Whether it has the form of a key."""
    if not text.startswith(PREFIX) or len(text) != len(PREFIX) + _SECRET_LENGTH + _SUM_LENGTH or not text.isascii():
        return False
    secret, told = text[len(PREFIX) : -_SUM_LENGTH], text[-_SUM_LENGTH:]
    return _sum(secret) == told


def digest(key: str) -> bytes:
    """What is kept of it. Its 200 random bits need no slow hash: nobody tries them all."""
    return hashlib.sha256(key.encode()).digest()


def _sum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


_ROADS: Final[tuple[tuple[str, Scope | None, Scope | None], ...]] = (
    ("/v1/notifications", "read", "send"),
    ("/notifications", "read", "send"),
    ("/v1/inbox", "read", "send"),
    ("/v1/stats", "read", "read"),
    ("/v1/limits", "read", "read"),
    ("/v1/admin/templates", "read", None),
    ("/v1/deadlines", "deadlines", "deadlines"),
    ("/v1/schedules", "schedules", "schedules"),
    ("/v1/recipients", "directory", "directory"),
    ("/v1/admin/alerts", "alerts", "alerts"),
)
"""The beginning of a path, the scope for looking there, and the one for everything else; None: no key may."""


def needed(method: str, path: str) -> Scope | None:
    """The scope that a key needs for this route; None: no key opens it."""
    for beginning, look, change in _ROADS:
        if path == beginning or path.startswith(f"{beginning}/"):
            return look if method in ("GET", "HEAD") else change
    return None
