"""`tocsin failed`: what did not arrive, and sending it again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from cli.gateway import OPERATOR, Tenant, Token, Url, gateway
from cli.output import PATIENCE, Json, Progress, emit, listed, moment, table
from cli.send import AHEAD, UNITS
from client.failed import FailedOnes, Replays
from client.shapes import Notification
from deploy.local.trouble import Trouble
from kit.clock import utc_now

app = typer.Typer(no_args_is_help=True)

Status = Annotated[str | None, typer.Option("--status", help="failed, rejected, expired or undelivered.")]
Reason = Annotated[str | None, typer.Option("--reason", help="The word that says why.")]
Channel = Annotated[str | None, typer.Option("--channel", help="email, sms or inapp.")]
To = Annotated[str | None, typer.Option("--to", help="The address it was asked to be sent to.")]
User = Annotated[str | None, typer.Option("--user", help="The person it was for.")]
Group = Annotated[str | None, typer.Option("--group", help="The group it is in.")]
Since = Annotated[
    str | None,
    typer.Option("--since", help="It failed since then: 2027-03-01T08:00:00+01:00, or 10m (s, m, h, d) ago."),
]


@app.command("list")
def list_(
    status: Status = None,
    reason: Reason = None,
    channel: Channel = None,
    to: To = None,
    user: User = None,
    group: Group = None,
    since: Since = None,
    limit: Annotated[int, typer.Option("--limit", help="No more than so many.", min=1, max=200)] = 50,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Show what failed, the newest first, and why."""
    which = _which(status, reason, channel, to, user, group, since)
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        found = FailedOnes(tocsin).look(limit, **which)
    listed("failed", found, ("id", "status", "reason", "channel", "for", "asked", "detail"), _row, as_json=json)


@app.command()
def replay(
    id: Annotated[str | None, typer.Argument(help="Which one; without it the options say which.")] = None,
    status: Status = None,
    reason: Reason = None,
    channel: Channel = None,
    to: To = None,
    user: User = None,
    group: Group = None,
    since: Since = None,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Send one again, or all that the options name; each is a new notification. Twice is once."""
    which = _which(status, reason, channel, to, user, group, since)
    _check(id, which)
    with gateway(OPERATOR, "admin", url=url, token=token, tenant=tenant) as tocsin:
        office = FailedOnes(tocsin)
        done = [Replays(replayed=(office.replay(id),), skipped=())] if id else _all(office, which)
    replayed = [one for part in done for one in part.replayed]
    skipped = [one for part in done for one in part.skipped]

    def tell() -> None:
        table(("new", "replay of", "status"), [(one.id, one.replay_of, one.status) for one in replayed])
        for one in skipped:
            print(f"not {one.id}: {one.why}")

    shown = {"replayed": [one.model_dump() for one in replayed], "skipped": [one.model_dump() for one in skipped]}
    emit(shown, as_json=json, people=tell)
    if skipped:
        raise typer.Exit(1)


def _all(office: FailedOnes, which: dict[str, Any]) -> list[Replays]:
    parts: list[Replays] = []
    with Progress(PATIENCE) as progress:
        for part in office.replay_all(**which):
            parts.append(part)
            progress.count("sent again", sum(len(one.replayed) for one in parts))
    return parts


def _check(id: str | None, which: dict[str, Any]) -> None:
    named = any(value is not None for value in which.values())
    if id and named:
        raise Trouble("an id and a filter name two things", "give one of them")
    if not id and not named:
        raise Trouble("nothing says what to replay", "give an id, or an option such as --since 1h")


def _which(
    status: str | None,
    reason: str | None,
    channel: str | None,
    to: str | None,
    user: str | None,
    group: str | None,
    since: str | None,
) -> dict[str, Any]:
    told = {"status": status, "reason": reason, "channel": channel, "to": to, "user_id": user, "group": group}
    return told | {"since": ago(since, utc_now())}


def ago(text: str | None, now: datetime) -> str | None:
    """`10m` as the instant ten minutes before `now`; everything else as it is. Raises Trouble."""
    if text is None:
        return None
    back = AHEAD.fullmatch(f"+{text}")
    if back is None:
        return text
    try:
        return (now - timedelta(**{UNITS[back[2]]: int(back[1])})).isoformat()
    except OverflowError:
        raise Trouble(f"--since {text} lies too far back", "no calendar has that day; give fewer") from None


def _row(one: Notification) -> tuple[object, ...]:
    return one.id, one.status, one.reason, one.channel, one.to or one.user_id, moment(one.created_at), one.detail
