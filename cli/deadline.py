"""`tocsin deadline`: things with a due date, and who is reminded of them when."""

from __future__ import annotations

import json as encoding
import re
from itertools import islice
from typing import Annotated, Any, Literal

import typer

from cli.gateway import DEVELOPER, As, Limit, Tenant, Token, Url, gateway
from cli.output import Json, as_shown, emit, listed, table
from cli.send import instant
from client.deadlines import Deadline, Deadlines
from deploy.local.trouble import Trouble
from kit.clock import utc_now

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

app = typer.Typer(no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="Its own id, such as the number of a dossier.")]


@app.command()
def put(
    id: Id,
    title: Annotated[str | None, typer.Option("--title", help="What it is.")] = None,
    due: Annotated[
        str | None,
        typer.Option("--due", help="2027-03-10 (late at its end), 2027-03-10T17:00:00+01:00, or +10m from now."),
    ] = None,
    assignee: Annotated[list[str] | None, typer.Option("--assignee", help="Who is told; may be repeated.")] = None,
    urgent: Annotated[bool | None, typer.Option("--urgent/--not-urgent", help="Said every hour while it is.")] = None,
    reopen: Annotated[bool, typer.Option("--reopen", help="It is not done after all.")] = False,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="Of people and times that have none.")] = None,
    plan: Annotated[str | None, typer.Option("--plan", help="A plan's name, or the plan itself as JSON.")] = None,
    sender: As = DEVELOPER,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Make a deadline, or change one: what is not given stays as it is."""
    said: dict[str, Any] = {
        "title": title,
        "assignees": assignee,
        "urgent": urgent,
        "time_zone": time_zone,
        "plan": _plan(plan),
        "status": "open" if reopen else None,
        **_due(due),
    }
    with gateway(sender, "service", url=url, token=token, tenant=tenant) as tocsin:
        put = Deadlines(tocsin).change(id, **{name: value for name, value in said.items() if value is not None})
    _emit(put, as_json=json)


@app.command()
def show(id: Id, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Show a deadline and the reminders to come."""
    with gateway(DEVELOPER, "service", url=url, token=token, tenant=tenant) as tocsin:
        _emit(Deadlines(tocsin).get(id), as_json=json)


@app.command("list")
def list_(
    status: Annotated[Literal["open", "closed"] | None, typer.Option("--status", help="Only those.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Only those assigned to this person.")] = None,
    urgent: Annotated[bool, typer.Option("--urgent", help="Only what is urgent.")] = False,
    limit: Limit = 50,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show the deadlines of the tenant, each with the next reminder."""
    asked = {"status": status, "user_id": user, "urgent": "true" if urgent else None}
    with gateway(DEVELOPER, "service", url=url, token=token, tenant=tenant) as tocsin:
        narrowed = {name: value for name, value in asked.items() if value is not None}
        found = list(islice(Deadlines(tocsin).all(**narrowed), limit))
    listed("deadlines", found, ("id", "status", "urgent", "due", "next reminder", "title"), _row, as_json=json)


@app.command()
def close(id: Id, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False) -> None:
    """It is done: cancel what waits, remind nobody any more."""
    with gateway(DEVELOPER, "service", url=url, token=token, tenant=tenant) as tocsin:
        _emit(Deadlines(tocsin).close(id), as_json=json)


@app.command()
def delete(id: Id, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Forget a deadline, and cancel what waits."""
    with gateway(DEVELOPER, "service", url=url, token=token, tenant=tenant) as tocsin:
        Deadlines(tocsin).delete(id)
    emit({"id": id, "deleted": True}, as_json=json, people=lambda: print(f"{id} is deleted"))


def _due(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    return {"due_date": text} if DAY.fullmatch(text) else {"due_at": str(instant(text, utc_now()))}


def _plan(text: str | None) -> Any:
    if text is None or not text.lstrip().startswith("{"):
        return text
    try:
        return encoding.loads(text)
    except ValueError as error:
        example = '{"reminders": [{"rule": "day_before", "days": -1, "at": "08:00"}]}'
        raise Trouble(f"--plan is not JSON ({error})", f"write it like --plan '{example}'") from None


def _emit(deadline: Deadline, *, as_json: bool) -> None:
    emit(as_shown(deadline), as_json=as_json, people=lambda: _tell(deadline))


def _tell(deadline: Deadline) -> None:
    urgent = ", urgent" if deadline.urgent else ""
    print(f"{deadline.id}: {deadline.title}, due {_when(deadline) or 'never'}, {deadline.status}{urgent}")
    rows = [(f"{one.at:%Y-%m-%d %H:%M:%S}Z", one.user_id, one.rule) for one in deadline.reminders]
    if rows:
        table(("reminder at", "to", "rule"), rows)


def _row(one: Deadline) -> tuple[object, ...]:
    return one.id, one.status, _urgent(one), _when(one), _next(one), one.title


def _when(deadline: Deadline) -> str:
    return f"{deadline.due_at:%Y-%m-%d %H:%M}Z" if deadline.due_at else deadline.due_date or ""


def _next(deadline: Deadline) -> str:
    return f"{deadline.reminders[0].at:%Y-%m-%d %H:%M}Z" if deadline.reminders else ""


def _urgent(deadline: Deadline) -> str:
    return "urgent" if deadline.urgent else ""
