"""Who is calling: a bearer token that we can check, or nobody."""

from datetime import UTC, datetime
from typing import Any, Final

import jwt
from starlette.requests import Request

from kit.clock import utc_now
from kit.settings import JwtSettings
from services.gateway.calls import Calls
from services.gateway.http import limited
from services.gateway.http.problems import unauthorized
from services.gateway.rules.trust import Caller

ALGORITHM: Final = "HS256"
"""One, and no family beside it: a token chooses nothing (RFC 8725, 3.1)."""
REQUIRED: Final = ("exp", "iat", "sub", "iss", "aud")
LEEWAY_SECONDS: Final = 5
LONGEST_SUB: Final = 200
LONGEST_TOKEN: Final = 8192
REMEMBERED: Final = 4096
"""Tokens that are known at a time; then all are forgotten, and checked anew."""


class Tokens:
    """Checks tokens. One that was good stays good until it expires, and is not computed again: nothing revokes a JWT
    before its `exp` but another secret, which takes a restart. What can be revoked must not be kept here."""

    def __init__(self, settings: JwtSettings, secret: str, calls: Calls) -> None:
        self._settings = settings
        self._secret = secret
        self._calls = calls
        self._known: dict[str, tuple[float, Caller]] = {}

    def caller(self, request: Request) -> Caller:
        """The one who is calling, which counts against his limit. Raises Problem 401, 429."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("there is no bearer token")
        caller = self.caller_of(token.strip())
        limited.count(self._calls, caller, request.scope)
        return caller

    def caller_of(self, token: str) -> Caller:
        """The one whom this token names. Raises Problem 401."""
        known = self._known.get(token)
        if known and known[0] > utc_now().timestamp():
            return known[1]
        claims = self._claims(token)
        caller = _caller(claims)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[token] = float(claims["exp"]), caller
        return caller

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > LONGEST_TOKEN:
            raise unauthorized("the token is too long")
        try:
            return jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=LEEWAY_SECONDS,
                options={"require": list(REQUIRED)},
            )
        except jwt.ExpiredSignatureError:
            raise unauthorized("the token has expired") from None
        except jwt.PyJWTError as error:
            raise unauthorized(f"the token cannot be used: {error}") from None


def _caller(claims: dict[str, Any]) -> Caller:
    sub, tenant, roles = claims["sub"], claims.get("tenant", "default"), claims.get("roles", [])
    if not _is_name(sub, LONGEST_SUB):
        raise unauthorized("the claim sub is not a name")
    if not _is_name(tenant, 64) or "/" in tenant:
        raise unauthorized("the claim tenant is not a name of at most 64 characters without /")
    if not isinstance(roles, list):
        raise unauthorized("the claim roles is not a list")
    until = datetime.fromtimestamp(claims["exp"], UTC)
    return Caller(sub, tenant, frozenset(role for role in roles if isinstance(role, str)), until)


def _is_name(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isprintable()
