"""`tocsin schedule`: what comes again and again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from cli.gateway import DEVELOPER, As, Tenant, Token, Url, gateway
from cli.output import Json, as_shown, emit, listed, moment, table
from client.schedules import Preview, Run, Schedule, Schedules
from deploy.local.trouble import Trouble

Id = Annotated[str, typer.Argument(help="Which one; `tocsin schedule list` names them.")]
Count = Annotated[int, typer.Option("--count", "-n", help="How many firings.", min=1, max=100)]

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(
    user: As = DEVELOPER, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False
) -> None:
    """Show your schedules, the newest first."""
    with gateway(user, "service", url=url, token=token, tenant=tenant) as tocsin:
        found = list(Schedules(tocsin).all())
    listed("schedules", found, ("id", "name", "when", "next"), _row, as_json=json)


@app.command()
def create(
    cron: Annotated[str | None, typer.Option("--cron", help='Five fields, like "0 8 * * MON-FRI".')] = None,
    every: Annotated[int | None, typer.Option("--every", help="Every so many seconds, instead of --cron.")] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="Like Europe/Paris.")] = None,
    user: Annotated[
        list[str] | None, typer.Option("--user", help="A person of the directory; may be repeated.")
    ] = None,
    to: Annotated[list[str] | None, typer.Option("--to", help="An address or number; may be repeated.")] = None,
    channel: Annotated[Literal["email", "sms", "inapp"], typer.Option("--channel", help="By which way.")] = "inapp",
    subject: Annotated[str | None, typer.Option("--subject", help="One line.")] = None,
    body: Annotated[str | None, typer.Option("--body", help="The text.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="What you call it.")] = None,
    starts_at: Annotated[str | None, typer.Option("--starts-at", help="Not before this instant.")] = None,
    ends_at: Annotated[str | None, typer.Option("--ends-at", help="Not after this instant.")] = None,
    misfire: Annotated[
        Literal["fire_once", "skip", "fire_all"], typer.Option("--misfire", help="What becomes of missed firings.")
    ] = "fire_once",
    key: Annotated[str | None, typer.Option("--key", help="Idempotency key: the same key is one schedule.")] = None,
    sender: As = DEVELOPER,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Make a schedule; prints its id."""
    recipients: list[Any] = [*(user or []), *({"to": one} for one in to or [])]
    if not recipients:
        raise Trouble("there is nobody to send it to", "give --user or --to, more than once for several")
    content = {"channel": channel, "subject": subject, "body": body}
    asked = {
        "name": name,
        "cron": cron,
        "every_seconds": every,
        "time_zone": time_zone,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "misfire": misfire,
        "recipients": recipients,
        "notification": {field: text for field, text in content.items() if text is not None},
    }
    with gateway(sender, "service", url=url, token=token, tenant=tenant) as tocsin:
        made = Schedules(tocsin).create(key=key, **{field: v for field, v in asked.items() if v is not None})
    _show(made, json)


@app.command()
def show(
    id: Id, user: As = DEVELOPER, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False
) -> None:
    """Show one schedule."""
    with gateway(user, "admin", url=url, token=token, tenant=tenant) as tocsin:
        found = Schedules(tocsin).get(id)
    seen = as_shown(found)
    emit(seen, as_json=json, people=lambda: table(("field", "value"), list(seen.items())))


@app.command()
def preview(
    id: Annotated[str | None, typer.Argument(help="A schedule; none with --cron.")] = None,
    cron: Annotated[str | None, typer.Option("--cron", help="A cron that no schedule has yet.")] = None,
    time_zone: Annotated[str, typer.Option("--time-zone", help="Of --cron.")] = "Europe/Paris",
    count: Count = 5,
    user: As = DEVELOPER,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show the next firings, and where the clocks change."""
    if (id is None) == (cron is None):
        raise Trouble("of what?", "give the id of a schedule, or --cron with --time-zone")
    with gateway(user, "admin", url=url, token=token, tenant=tenant) as tocsin:
        schedules = Schedules(tocsin)
        found = schedules.preview(id, count) if id else schedules.foretell(cron or "", time_zone, count)
    emit(as_shown(found), as_json=json, people=lambda: _firings(found))


@app.command()
def enable(
    id: Id, user: As = DEVELOPER, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False
) -> None:
    """Switch it on, from now on."""
    with gateway(user, "admin", url=url, token=token, tenant=tenant) as tocsin:
        _show(Schedules(tocsin).switch(id, on=True), json)


@app.command()
def disable(
    id: Id, user: As = DEVELOPER, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False
) -> None:
    """Switch it off; it fires no more until it is switched on."""
    with gateway(user, "admin", url=url, token=token, tenant=tenant) as tocsin:
        _show(Schedules(tocsin).switch(id, on=False), json)


@app.command()
def run(
    id: Id, user: As = DEVELOPER, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False
) -> None:
    """Fire it once now; prints the ids of the notifications."""
    with gateway(user, "admin", url=url, token=token, tenant=tenant) as tocsin:
        found: Run = Schedules(tocsin).run(id)
    ids = found.notifications
    emit(found.model_dump(mode="json"), as_json=json, people=lambda: print(*ids, sep="\n"))


@app.command()
def delete(
    id: Id, user: As = DEVELOPER, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False
) -> None:
    """It fires no more, and is gone."""
    with gateway(user, "admin", url=url, token=token, tenant=tenant) as tocsin:
        Schedules(tocsin).delete(id)
    emit({"id": id, "deleted": True}, as_json=json, people=lambda: print(id))


def _show(made: Schedule, as_json: bool) -> None:
    emit(as_shown(made), as_json=as_json, people=lambda: print(made.id))


def _firings(found: Preview) -> None:
    table(("at", "local", "note"), [(one.at.isoformat(), one.local, one.note) for one in found.firings])


def _row(one: Schedule) -> tuple[object, ...]:
    return one.id, one.name, _rule(one), _state(one)


def _rule(one: Schedule) -> str:
    return f"{one.cron} {one.time_zone}" if one.cron else f"every {one.every_seconds} s"


def _state(one: Schedule) -> str:
    if not one.enabled:
        return "off"
    return moment(one.next_at) if one.next_at else "over"
