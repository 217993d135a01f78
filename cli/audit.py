"""`tocsin audit`: what admins have changed, and whose data they have exported."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from cli.failed import ago
from cli.gateway import OPERATOR, Limit, Tenant, Token, Url, gateway
from cli.output import Json, listed, moment
from client.access import Access, Deed
from kit.clock import utc_now


def audit(
    who: Annotated[str | None, typer.Option("--who", help="Only of this one, as it is shown: user:alice.")] = None,
    path: Annotated[str | None, typer.Option("--path", help="Only what begins so: /v1/admin/templates.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="2027-03-01T08:00:00+01:00, or 2h (s, m, h, d) ago.")
    ] = None,
    limit: Limit = 50,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show what admins have done, the newest first."""
    asked = {"who": who, "path": path, "created_after": ago(since, utc_now())}
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        narrowed = {name: value for name, value in asked.items() if value is not None}
        found = list(islice(Access(tocsin).deeds(**narrowed), limit))
    listed("audit", found, ("at", "who", "what", "status", "detail"), _row, as_json=json)


def _row(one: Deed) -> tuple[object, ...]:
    return moment(one.at), one.who, f"{one.method} {one.path}", one.status, one.detail
