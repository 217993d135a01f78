"""`tocsin watch`: the life of one notification, line by line, until it has ended."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.gateway import OPERATOR, Tenant, Token, Url, gateway
from cli.output import Json, emit
from cli.timeline import Story, console, heading, verdict
from client.rest import Tocsin
from client.shapes import Notification
from deploy.local.trouble import Trouble


def watch(
    id: Annotated[str, typer.Argument(help="The id that the request was answered with.")],
    seconds: Annotated[float | None, typer.Option("--seconds", help="Give up after so long.", min=0)] = None,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show a timeline as it fills; exit code 0 when it was sent, 1 when it ended otherwise or not in time."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        until_the_end(tocsin, id, seconds, as_json=json)


def until_the_end(tocsin: Tocsin, id: str, seconds: float | None, *, as_json: bool) -> None:
    """Tells it until it has ended; exit code 1 unless it was sent."""
    last = tocsin.wait(id, seconds) if as_json else _told(tocsin, id, seconds)
    emit(last.model_dump(mode="json", by_alias=True, exclude_none=True), as_json=as_json, people=lambda: None)
    if not last.was_sent:
        raise typer.Exit(1)


def _told(tocsin: Tocsin, id: str, seconds: float | None) -> Notification:
    to = console()
    story, last = Story(to), None
    with to.status("") as waiting:
        for seen in tocsin.watch(id, seconds):
            if last is None:
                to.print(heading(seen))
            story.tell(seen)
            waiting.update(f"  {seen.status}")
            last = seen
    if last is None:
        raise Trouble(f"nothing was heard of {id}", "try again")
    to.print(verdict(last))
    return last
