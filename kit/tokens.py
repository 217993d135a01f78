"""Tokens of our own making, where one secret signs them: for the command line, and for trying out."""

from datetime import datetime, timedelta
from typing import Final

import jwt

from kit.settings import JwtSettings

ALGORITHM: Final = "HS256"


def signed(
    settings: JwtSettings,
    secret: str,
    user: str,
    role: str,
    now: datetime,
    lasting: timedelta,
    tenant: str | None = None,
) -> str:
    """A token that the gateway takes for this user; `role` "user" is none."""
    claims = {
        "sub": user,
        "roles": [] if role == "user" else [role],
        "iss": settings.issuer,
        "aud": settings.audience,
        "iat": now,
        "exp": now + lasting,
    }
    return jwt.encode(claims | ({"tenant": tenant} if tenant else {}), secret, algorithm=ALGORITHM)
