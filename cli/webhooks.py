"""`tocsin webhooks`: other systems that are told what becomes of notifications, and what they got."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.failed import ago
from cli.gateway import OPERATOR, Tenant, Token, Url, gateway
from cli.output import Json, as_shown, emit, listed, table
from client.webhooks import Delivery, Webhook, Webhooks
from kit.clock import utc_now

Id = Annotated[str, typer.Argument(help="Which one; `tocsin webhooks list` names them.")]

DELIVERY = ("id", "event", "state", "attempts", "came to", "ms")

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Show the webhooks, and whether they work."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        found = list(Webhooks(tocsin).all())
    listed("webhooks", found, ("id", "state", "url", "events"), _row, as_json=json)


@app.command()
def add(
    to: Annotated[str, typer.Argument(help="Where to post: https://example.org/tocsin")],
    event: Annotated[
        list[str] | None,
        typer.Option("--event", help="What it is told of, such as notification.sent; may be repeated."),
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option("--channel", help="Only on this channel: email, sms, inapp; may be repeated.")
    ] = None,
    description: Annotated[str | None, typer.Option("--description", help="What it is for.")] = None,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Have what happens posted there. The secret is printed this once."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        made = Webhooks(tocsin).add(to, event, description, channel)
    emit(as_shown(made), as_json=json, people=lambda: print(f"{made.id}\n{made.secret}"))


@app.command()
def remove(id: Id, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Post nothing to it any more; its deliveries are gone."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        Webhooks(tocsin).remove(id)
    emit({"removed": id}, as_json=json, people=lambda: print(f"removed {id}"))


@app.command()
def rotate(id: Id, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Print a new secret, this once; for a day the old one signs as well."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        made = Webhooks(tocsin).rotate(id)
    emit(as_shown(made), as_json=json, people=lambda: print(made.secret))


@app.command()
def enable(id: Id, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Post to it again, when it has been disabled; what it missed comes by `replay`."""
    _switch(id, True, tenant, url, token, json)


@app.command()
def disable(id: Id, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Post nothing to it until it is enabled again."""
    _switch(id, False, tenant, url, token, json)


@app.command("test")
def try_out(id: Id, tenant: Tenant = None, url: Url = None, token: Token = None, json: Json = False) -> None:
    """Post a `webhook.test` to it; exit code 1 when it does not arrive at once."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        seen = Webhooks(tocsin).test(id)
    emit(as_shown(seen), as_json=json, people=lambda: table(DELIVERY, [_delivery(seen)]))
    if seen.state != "delivered":
        raise typer.Exit(1)


@app.command()
def deliveries(
    id: Id,
    state: Annotated[str | None, typer.Option("--state", help="pending, delivered, failed or forgotten.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="No more than so many.", min=1, max=200)] = 50,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show what was posted to it, the newest first, and what came of it."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        found = Webhooks(tocsin).deliveries(id, state, limit)
    listed("deliveries", found, DELIVERY, _delivery, as_json=json)


@app.command()
def replay(
    id: Id,
    delivery: Annotated[str | None, typer.Option("--delivery", help="This one, whatever came of it.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="All made since then that failed: 2027-03-01T08:00:00+01:00, or 10m ago."),
    ] = None,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Post again what it did not get."""
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        n = Webhooks(tocsin).replay(id, delivery=delivery, since=ago(since, utc_now()))
    emit({"replayed": n}, as_json=json, people=lambda: print(f"{n} posted again"))


def _switch(id: str, on: bool, tenant: Tenant, url: Url, token: Token, json: bool) -> None:
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        webhooks = Webhooks(tocsin)
        changed = webhooks.change(webhooks.get(id), enabled=on)
    emit(as_shown(changed), as_json=json, people=lambda: print(f"{changed.id}: {_state(changed)}"))


def _row(one: Webhook) -> tuple[object, ...]:
    return one.id, _state(one), one.url, ", ".join(one.events)


def _state(one: Webhook) -> str:
    if not one.enabled:
        return f"disabled: {one.disabled_why}"
    return f"failing since {one.failing_since:%Y-%m-%d %H:%M}" if one.failing_since else "enabled"


def _delivery(one: Delivery) -> tuple[object, ...]:
    return one.id, one.event, one.state, one.attempts, one.error or one.status, one.duration_ms
