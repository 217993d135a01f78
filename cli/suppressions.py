"""`tocsin suppressions`: addresses to which nothing is sent any more, and why."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

import typer

from cli.gateway import OPERATOR, Limit, Tenant, Token, Url, gateway
from cli.output import Json, as_shown, emit, listed, moment
from client.suppressions import SuppressedSeen, Suppressions

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(
    channel: Annotated[Literal["email", "sms"] | None, typer.Option("--channel", help="Only of this one.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="Only this address or number.")] = None,
    limit: Limit = 50,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show them, the newest first; of most only the hash is known."""
    asked = {name: value for name, value in (("channel", channel), ("to", to)) if value is not None}
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        found = list(islice(Suppressions(tocsin).all(**asked), limit))
    listed("suppressions", found, ("id", "channel", "address", "why", "code", "since"), _row, as_json=json)


@app.command()
def add(
    to: Annotated[str, typer.Argument(help="An email address, or a number like +46701740605.")],
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Send nothing more to this address."""
    channel = "sms" if to.startswith("+") else "email"
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        made = Suppressions(tocsin).add(channel, to)
    emit(as_shown(made), as_json=json, people=lambda: print(made.id))


@app.command()
def lift(
    which: Annotated[str, typer.Argument(help="The address, or its id in the list.")],
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Send to this address again."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        lifted = Suppressions(tocsin).lift(which)
    emit({"id": lifted.id, "lifted": True}, as_json=json, people=lambda: print(f"{which} may be written to again"))


def _row(one: SuppressedSeen) -> tuple[object, ...]:
    return one.id, one.channel, one.to, one.reason, one.code, moment(one.created_at)
