"""`tocsin channels`: a whole channel paused by hand, and resumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from cli.gateway import OPERATOR, Token, Url, gateway
from cli.output import Json, as_shown, emit, listed
from client.operations import ChannelOrderSeen, Operations

Name = Annotated[str, typer.Argument(help="email or sms.")]

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(url: Url = None, token: Token = None, json: Json = False) -> None:
    """Show whether each is open."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=None) as tocsin:
        found = Operations(tocsin).channels()
    listed("channels", found, ("channel", "state"), lambda one: (one.channel, one.state), as_json=json)


@app.command()
def pause(name: Name, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Send nothing of it until it is resumed, also over restarts; what comes meanwhile waits."""
    _ordered(lambda operations: operations.pause_channel(name), url, token, json)


@app.command()
def resume(name: Name, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Send what has waited."""
    _ordered(lambda operations: operations.resume_channel(name), url, token, json)


def _ordered(order: Callable[[Operations], ChannelOrderSeen], url: Url, token: Token, json: bool) -> None:
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=None) as tocsin:
        seen = order(Operations(tocsin))
    waits = " (its sender does not answer; it will do so when it is there)" if seen.state == "waiting" else ""
    emit(as_shown(seen), as_json=json, people=lambda: print(f"{seen.order} of {seen.channel}: {seen.state}{waits}"))
    if seen.state == "failed":
        raise typer.Exit(1)
