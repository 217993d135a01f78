"""`tocsin providers`: who carries messages out of the house, how each does; pausing one, trying one out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from cli.gateway import OPERATOR, Token, Url, gateway
from cli.output import Json, as_shown, emit, listed, table
from client.operations import Operations, OrderSeen, ProviderSeen

Name = Annotated[str, typer.Argument(help="Which one; `tocsin providers list` names them.")]

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(url: Url = None, token: Token = None, json: Json = False) -> None:
    """Show the providers of each channel, the preferred one first, and how each does."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=None) as tocsin:
        found = Operations(tocsin).providers()
    listed("providers", found, ("channel", "", "provider", "type", "state", "why"), _about, as_json=json)


@app.command()
def pause(name: Name, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Give it nothing more until it is resumed, also over restarts."""
    _ordered(lambda operations: operations.pause(name), url, token, json)


@app.command()
def resume(name: Name, url: Url = None, token: Token = None, json: Json = False) -> None:
    """It may have messages again."""
    _ordered(lambda operations: operations.resume(name), url, token, json)


@app.command("test")
def try_out(name: Name, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Try it out without sending anything; exit code 1 when something is wrong with it."""
    _ordered(lambda operations: operations.test(name), url, token, json)


def _ordered(order: Callable[[Operations], OrderSeen], url: Url, token: Token, json: bool) -> None:
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=None) as tocsin:
        seen = order(Operations(tocsin))
    emit(as_shown(seen), as_json=json, people=lambda: _told(seen))
    if seen.state == "failed" or seen.result.get("ok") is False:
        raise typer.Exit(1)


def _told(seen: OrderSeen) -> None:
    if checks := seen.result.get("checks"):
        table(("", "check", ""), [_row(check) for check in checks])
    elif seen.state == "waiting":
        print(f"{seen.order} of {seen.provider}: its sender does not answer; it will do so when it is there")
    else:
        print(f"{seen.order} of {seen.provider}: {seen.result.get('error', seen.state)}")


def _about(one: ProviderSeen) -> tuple[object, ...]:
    return one.channel, one.position, one.name, one.type, one.state, one.detail or one.reason


def _row(check: dict[str, Any]) -> tuple[object, ...]:
    return ("ok" if check["ok"] else "NO", check["name"], check.get("detail"))
