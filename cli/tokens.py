"""`tocsin token`: a token for a person or a program, signed with the secret of this installation."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

import typer

from cli.output import Json, emit
from cli.place import root
from deploy.local.trouble import Trouble
from kit.clock import utc_now
from kit.settings import Settings, load, need
from kit.tokens import signed

Role = Literal["admin", "service", "user"]

LONGEST_USER = 200
LONGEST_TENANT = 64
HOURS = 24.0


@dataclass(frozen=True, slots=True)
class Minted:
    """A token, and until when it is one."""

    token: str
    expires_at: datetime


def token(
    user: Annotated[str, typer.Option("--user", help="Who it names (`sub`).")],
    admin: Annotated[bool, typer.Option("--admin", help="An administrator of the tenant.")] = False,
    service: Annotated[bool, typer.Option("--service", help="A program that writes to anybody.")] = False,
    tenant: Annotated[str | None, typer.Option("--tenant", help="The tenant, if not `default`.")] = None,
    hours: Annotated[float, typer.Option("--hours", help="How long it is good.", min=0.01, max=24 * 366)] = HOURS,
    json: Json = False,
) -> None:
    """Print a token, and nothing else: TOKEN=$(tocsin token --user alice)"""
    if admin and service:
        raise Trouble("--admin and --service are two roles", "give one of them")
    role: Role = "admin" if admin else "service" if service else "user"
    made = minted(load(root(), os.environ), user, role=role, tenant=tenant, hours=hours)
    shown = {"token": made.token, "user": user, "role": role, "tenant": tenant or "default"}
    emit(shown | {"expires_at": made.expires_at.isoformat()}, as_json=json, people=lambda: print(made.token))


def minted(
    settings: Settings, user: str, *, role: Role = "user", tenant: str | None = None, hours: float = HOURS
) -> Minted:
    """A token that the gateway of these settings takes. Raises Trouble, SettingsError."""
    if settings.jwt.jwks_url:
        raise Trouble(
            "tokens are signed elsewhere here (JWT_JWKS_URL is set)",
            "get one where people sign in; commands take it with --token",
        )
    _check("--user", user, LONGEST_USER)
    if tenant is not None:
        _check("--tenant", tenant, LONGEST_TENANT, without="/")
    now, lasting = utc_now().replace(microsecond=0), timedelta(hours=hours)
    secret = need(settings.jwt.secret, "JWT_SECRET")
    return Minted(signed(settings.jwt, secret, user, role, now, lasting, tenant), now + lasting)


def _check(option: str, name: str, longest: int, without: str = "") -> None:
    """What the gateway would refuse later."""
    if not (0 < len(name) <= longest and name.isprintable()) or any(sign in name for sign in without):
        less = f" and without {without}" if without else ""
        raise Trouble(f"{option} names nobody", f"give 1 to {longest} characters on one line{less}")
