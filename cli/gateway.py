"""How the command line reaches the gateway: its address and a token from the settings, unless they are given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from cli.place import root
from cli.tokens import Role, minted
from cli.ways import way_here
from client.errors import TokenRefused, Unreachable
from client.rest import Tocsin
from deploy.local.trouble import Trouble
from kit.settings import Settings, load

EVERYWHERE = ("0.0.0.0", "::", "")

DEVELOPER = "developer"
"""Who asks where nobody is named: for commands that anybody may use."""
OPERATOR = "operator"
"""The same for those of who runs the installation."""

As = Annotated[str, typer.Option("--as", help="Who asks.")]
Limit = Annotated[int, typer.Option("--limit", help="At most so many, the newest first.", min=1)]
Url = Annotated[
    str | None, typer.Option("--url", envvar="TOCSIN_URL", help="Where the gateway is, if not where the settings say.")
]
Token = Annotated[
    str | None, typer.Option("--token", envvar="TOCSIN_TOKEN", help="A token, if not one of the settings' own making.")
]
Tenant = Annotated[str | None, typer.Option("--tenant", help="The tenant, if not `default`.")]


def address(settings: Settings) -> str:
    """Where the gateway of these settings is reached from this machine."""
    host = "127.0.0.1" if settings.gateway.host in EVERYWHERE else settings.gateway.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.gateway.port}"


@contextmanager
def gateway(user: str, role: Role, *, url: str | None, token: str | None, tenant: str | None) -> Iterator[Tocsin]:
    """A connection for one command. Its troubles are told with what helps on this machine."""
    mine = token is None
    if url is None or token is None:
        settings = load(root(), os.environ)
        url = url or address(settings)
        token = token or minted(settings, user, role=role, tenant=tenant).token
    with remedies(mine=mine), Tocsin(url, token) as tocsin:
        yield tocsin


@contextmanager
def remedies(*, mine: bool = True) -> Iterator[None]:
    """Says what helps where a gateway of this machine does not answer, or takes no token; `mine`: we made it."""
    try:
        yield
    except Unreachable as error:
        raise Trouble(
            f"the gateway does not answer at {error.url} ({error.why})",
            f"{way_here().starts('gateway')} starts it, `tocsin status` shows what runs, --url says where else it is",
        ) from None
    except TokenRefused as error:
        if not mine:
            raise
        raise Trouble(
            f"the gateway refuses our token ({error.detail.split('. ')[0]})",
            "it runs with another JWT_SECRET, JWT_ISSUER or JWT_AUDIENCE than the settings here; "
            f"start it again ({way_here().starts_again('gateway')}), or give --token",
        ) from None
