"""`tocsin keys`: keys for programs, which open as much as their scopes say."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from cli.gateway import OPERATOR, Tenant, Token, Url, gateway
from cli.output import Json, as_shown, emit, listed, moment
from cli.send import instant
from client.access import Access, KeySeen
from kit.clock import utc_now

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="The program; keys of one name are one caller.")],
    scope: Annotated[
        list[str], typer.Option("--scope", help="send, read, deadlines, schedules, directory or alerts; repeat it.")
    ],
    expires: Annotated[str | None, typer.Option("--expires", help="2028-01-01T00:00:00Z, or +90d.")] = None,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Make a key. It is printed this once, and kept nowhere: KEY=$(tocsin keys create billing --scope send)"""
    until: str | datetime | None = instant(expires, utc_now())
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        made = Access(tocsin).make(name, scope, until)
    emit(as_shown(made), as_json=json, people=lambda: print(made.key))


@app.command("list")
def list_(tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Show the keys, the newest first, revoked ones too."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        found = list(Access(tocsin).keys())
    listed("keys", found, ("id", "name", "begins with", "scopes", "state", "last used"), _row, as_json=json)


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(help="Which one; `tocsin keys list` names them.")],
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Take a key back: two seconds later it opens nothing."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        Access(tocsin).revoke(id)
    gone: dict[str, Any] = {"id": id, "revoked": True}
    emit(gone, as_json=json, people=lambda: print(f"{id} is revoked"))


def _row(one: KeySeen) -> tuple[object, ...]:
    return one.id, one.name, one.shown, " ".join(one.scopes), _state(one), moment(one.last_used_at)


def _state(one: KeySeen) -> str:
    if one.revoked_at:
        return f"revoked {moment(one.revoked_at)}"
    if one.expires_at and one.expires_at <= utc_now():
        return f"expired {moment(one.expires_at)}"
    return f"good until {moment(one.expires_at)}" if one.expires_at else "good"
