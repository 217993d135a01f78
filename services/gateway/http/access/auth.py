"""Who is calling: a bearer token or an API key that we can check, or nobody."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from starlette.requests import Request

from kit.clock import unix_ms
from kit.settings import JwtSettings
from services.gateway.calls import Calls
from services.gateway.http.access.key_ring import KeyRing
from services.gateway.http.access.signing import Signing
from services.gateway.http.edge import limited
from services.gateway.http.problems import forbidden, unauthorized
from services.gateway.rules import keys
from services.gateway.rules.trust import Caller

REQUIRED: Final = ("exp", "iat", "sub", "iss", "aud")
LEEWAY_SECONDS: Final = 5
LONGEST_SUB: Final = 200
LONGEST_TOKEN: Final = 8192
REMEMBERED: Final = 4096
"""Tokens that are known at a time; then all are forgotten, and checked anew."""


class Tokens:
    """Checks tokens and API keys. A JWT that was good stays good until it expires, or for as long as what signed it is
    believed, and is not computed again. An API key can be revoked: what is known of those the key ring says."""

    def __init__(self, settings: JwtSettings, signing: Signing, ring: KeyRing, calls: Calls) -> None:
        self._settings = settings
        self._signing = signing
        self._ring = ring
        self._calls = calls
        self._known: dict[str, tuple[float, Caller]] = {}

    async def caller(self, request: Request) -> Caller:
        """The one who is calling, if he may come here, which counts against his limit.

        Raises Problem 401, 403 for a key without the scope, 429, 503.
        """
        caller = await self.caller_of(bearer_of(request))
        if caller.scopes is not None:
            _check_scope(caller.scopes, keys.needed(request.method, request.scope["path"]))
        limited.count(self._calls, caller, request.scope)
        return caller

    async def caller_of(self, token: str) -> Caller:
        """The one whom this token names. Raises Problem 401, 503."""
        if token.startswith(keys.PREFIX):
            return await self._ring.caller(token)
        known = self._known.get(token)
        now = unix_ms() / 1000
        if known and known[0] > now:
            return known[1]
        claims = await self._claims(token)
        caller = _caller(claims)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[token] = min(float(claims["exp"]), now + self._signing.believed), caller
        return caller

    def forget(self, key_hash: bytes) -> None:
        """A key was revoked here."""
        self._ring.forget(key_hash)

    async def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > LONGEST_TOKEN:
            raise unauthorized("the token is too long")
        key, algorithm = await self._signing.of(token)
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=LEEWAY_SECONDS,
                options={"require": list(REQUIRED)},
            )
        except jwt.ExpiredSignatureError:
            raise unauthorized("the token has expired") from None
        except (jwt.PyJWTError, OverflowError) as error:
            raise unauthorized(f"the token cannot be used: {error}") from None


def bearer_of(request: Request) -> str:
    """What the caller shows. Raises Problem 401."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unauthorized("there is no bearer token")
    return token.strip()


def check_admin(caller: Caller) -> None:
    """Raises Problem 403 for who is no admin of his tenant."""
    if not caller.is_admin:
        raise forbidden("admins_only", "this needs the role admin")


def _check_scope(scopes: frozenset[str], wanted: str | None) -> None:
    if wanted is None:
        raise forbidden("not_for_keys", "no API key opens this: it needs the token of a person")
    if wanted not in scopes:
        raise forbidden("scope_missing", f"this API key lacks the scope {wanted}: an admin can make one that has it")


def _caller(claims: dict[str, Any]) -> Caller:
    sub, tenant, roles = claims["sub"], claims.get("tenant", "default"), claims.get("roles", [])
    if not _is_name(sub, LONGEST_SUB) or sub.startswith(keys.OWNER):
        raise unauthorized("the claim sub is not a name")
    if not _is_name(tenant, 64) or "/" in tenant:
        raise unauthorized("the claim tenant is not a name of at most 64 characters without /")
    if not isinstance(roles, list):
        raise unauthorized("the claim roles is not a list")
    return Caller(sub, tenant, frozenset(role for role in roles if isinstance(role, str)), _expiry(claims["exp"]))


def _expiry(exp: object) -> datetime:
    """When that is (RFC 7519, 4.1.4). PyJWT takes texts and times that no calendar has. Raises Problem 401."""
    if isinstance(exp, int | float):
        with suppress(ValueError, OverflowError, OSError):
            return datetime.fromtimestamp(exp, UTC)
    raise unauthorized("the claim exp is no time in seconds since 1970 (milliseconds, perhaps)")


def _is_name(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()
