"""The keys that tokens are signed with: one shared secret, or those that an identity provider publishes."""

import asyncio
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

import httpx
import jwt
from pydantic_core import from_json

from kit import logs
from kit.clock import monotonic
from services.gateway.http.problems import unauthorized, unavailable

SHARED: Final = "HS256"
"""One, and no family beside it: a token chooses nothing (RFC 8725, 3.1)."""
PUBLISHED: Final = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"))
"""Of asymmetric keys alone; each key is good for the one that it names."""
FRESH: Final = 600.0
"""Seconds after which published keys are fetched again: one that was taken away is then nobody's."""
AGAIN_AFTER: Final = 30.0
"""Seconds between two fetches, whatever keys tokens name: they cost whoever sends them nothing."""
TIMEOUT: Final = 5.0
LARGEST: Final = 256 * 1024

log = logs.get(__name__)


class Verifying(NamedTuple):
    """What a token is checked with, and the one algorithm for it."""

    key: Any
    algorithm: str


class Signing(Protocol):
    """Who knows the keys."""

    believed: float
    """Seconds for which a token that was good may be remembered."""

    async def of(self, token: str) -> Verifying:
        """The key of this token. Raises Problem 401, 503."""


class Shared:
    """JWT_SECRET. Nothing takes it back but another secret and a restart."""

    believed = float("inf")

    def __init__(self, secret: str) -> None:
        self._verifying = Verifying(secret, SHARED)

    async def of(self, token: str) -> Verifying:
        return self._verifying


class Published:
    """JWT_JWKS_URL (RFC 7517). While it does not answer, the keys that are known stay good."""

    believed = FRESH

    def __init__(self, url: str, *, fresh: float = FRESH, again_after: float = AGAIN_AFTER) -> None:
        self.fetches = 0
        self._url = url
        self._fresh = fresh
        self._again_after = again_after
        self._keys: dict[str, Verifying] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching = asyncio.Lock()

    async def of(self, token: str) -> Verifying:
        id = _key_id(token)
        if id not in self._keys or monotonic() - self._fetched_at > self._fresh:
            await self._fetch(waiting=id not in self._keys)
        if not self._keys:
            raise unavailable("the server of JWT_JWKS_URL", seconds=5)
        if found := self._keys.get(id):
            return found
        raise unauthorized("the token names a key that nobody publishes")

    async def _fetch(self, *, waiting: bool) -> None:
        """Unless somebody has tried a moment ago. Who needs no new key does not wait for one who fetches."""
        if self._fetching.locked() and not waiting:
            return
        async with self._fetching:
            if monotonic() - self._tried_at < self._again_after:
                return
            self._tried_at = monotonic()
            self.fetches += 1
            try:
                self._keys = _keys(from_json(await _got(self._url)))
                self._fetched_at = monotonic()
            except (httpx.HTTPError, TimeoutError, ValueError, TypeError, AttributeError, KeyError) as error:
                log.warning("keys_not_fetched", error=f"{type(error).__name__}: {error}", known=len(self._keys))


async def _got(url: str) -> bytes:
    """What stands there; redirects are not followed. Raises httpx.HTTPError, TimeoutError, ValueError."""
    body = bytearray()
    async with asyncio.timeout(TIMEOUT), httpx.AsyncClient(timeout=TIMEOUT) as client, client.stream("GET", url) as got:
        if got.status_code != 200:
            raise ValueError(f"status {got.status_code}")
        async for part in got.aiter_bytes():
            body += part
            if len(body) > LARGEST:
                raise ValueError(f"more than {LARGEST} bytes")
    return bytes(body)


def _keys(document: Any) -> dict[str, Verifying]:
    """The usable keys by their id. A shared one would let everybody sign who can read it: such are passed over, as is
    what nobody here knows."""
    found = {}
    for one in document["keys"]:
        with suppress(jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
            if one.get("use", "sig") != "sig" or not isinstance(one["kid"], str):
                continue
            key = jwt.PyJWK(one)
            if key.algorithm_name in PUBLISHED:
                found[one["kid"]] = Verifying(key.key, key.algorithm_name)
    return found


def _key_id(token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise unauthorized(f"the token cannot be used: {error}") from None
    id = header.get("kid")
    if not isinstance(id, str):
        raise unauthorized("the token does not name its key (`kid`)")
    return id
