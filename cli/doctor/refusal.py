"""Why a token is refused, as far as that can be read from it, and what helps."""

from __future__ import annotations

from datetime import UTC, datetime

import jwt

from cli.ways import way_here
from kit.settings import Settings


def why_refused(token: str, settings: Settings, now: datetime) -> tuple[str, str]:
    """What is wrong with it, as far as that can be read from it, and what helps."""
    again = "get a new one: tocsin token --user NAME --admin"
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        if token.startswith("tk_"):
            return "the API key is unknown, expired or revoked", "make one: tocsin keys create"
        return "what was given is no token (three parts, with dots between)", again
    expires = claims.get("exp")
    if isinstance(expires, int | float) and expires <= now.timestamp():
        at = datetime.fromtimestamp(expires, UTC)
        return f"the token has expired at {at:%Y-%m-%d %H:%M:%S}Z", again
    for claim, name, wanted in (
        ("iss", "JWT_ISSUER", settings.jwt.issuer),
        ("aud", "JWT_AUDIENCE", settings.jwt.audience),
    ):
        if claims.get(claim) != wanted:
            return f"the token's {claim} is {claims.get(claim)!r}, and {name} is {wanted!r}", "make the two agree"
    return (
        "the token is signed with another secret than the gateway's",
        "the gateway runs with another JWT_SECRET than the settings here: start it again "
        f"({way_here().starts_again('gateway')}), or give --token",
    )
