"""`tocsin archive`: what was cleaned up, and finding it again. It reads the files; nothing has to run for that."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.failed import ago
from cli.output import PATIENCE, Json, Progress, emit, table
from cli.place import root
from contracts import addresses
from deploy.local.trouble import Trouble
from kit.archive import shelf
from kit.archive.records import Record, Wanted
from kit.archive.searching import search as find
from kit.archive.shelf import Volume
from kit.clock import utc_now
from kit.settings import load

app = typer.Typer(no_args_is_help=True)

COLUMNS = ("archive", "notifications", "accepted from", "to", "bytes")

Folder = Annotated[
    Path | None, typer.Option("--folder", help="Where the archive is; without it, where TOCSIN_ARCHIVE_DIR says.")
]


@app.command("list")
def list_(folder: Folder = None, json: Json = False) -> None:
    """Show the files: a day's clean-up each, how many notifications it holds, and when they were accepted."""
    try:
        there = shelf.volumes(_folder(folder))
    except ValueError as error:
        raise _damaged(error) from None
    emit(
        {"folder": str(_folder(folder)), "archives": [_shown(one) for one in there]},
        as_json=json,
        people=lambda: table(
            COLUMNS,
            [tuple(_shown(one).values())[:5] for one in there],
        ),
    )


@app.command()
def search(
    id: Annotated[str | None, typer.Option("--id", help="That notification.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="The address it was asked to be sent to.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="The person it was for.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", help="KEY=VALUE of its metadata; may be given again.")
    ] = None,
    status: Annotated[str | None, typer.Option("--status", help="How it ended: sent, failed, ...")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="email, sms or inapp.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Whose; without it, of all tenants.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Accepted since then: 2027-03-01, with a time and offset, or 60d ago."),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Accepted before then, written likewise.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="No more than so many.", min=1)] = 50,
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Find notifications that were cleaned up: each once, what was archived last first. With --json all of each."""
    wanted = Wanted(
        id=id and id.strip().lower(),
        to=to and _address(to),
        user_id=user,
        metadata=tuple(map(_pair, metadata or ())),
        tenant=tenant,
        status=status,
        channel=channel,
        since=_instant("--since", since),
        until=_instant("--until", until),
    )
    try:
        with Progress(PATIENCE) as progress:
            found = find(_folder(folder), wanted, limit, partial(progress.progress, "archives read"))
    except ValueError as error:
        raise _damaged(error) from None
    emit(
        {"notifications": found},
        as_json=json,
        people=lambda: table(("id", "status", "channel", "for", "accepted", "subject"), [_row(one) for one in found]),
    )


def _folder(named: Path | None) -> Path:
    folder = named or load(root(), os.environ).archive_dir
    if named and not named.is_dir():
        raise Trouble(f"there is no folder {named}", "name the one that TOCSIN_ARCHIVE_DIR names for the gateway")
    return folder


def _shown(one: Volume) -> dict[str, Any]:
    first = min((part.first for part in one.parts), default=None)
    last = max((part.last for part in one.parts), default=None)
    told: dict[str, Any] = {"name": one.name, "notifications": one.records}
    told |= {
        "first": first and first.isoformat(timespec="seconds"),
        "last": last and last.isoformat(timespec="seconds"),
    }
    return told | {"bytes": one.end, "file": str(one.folder / one.data)}


def _row(one: Record) -> tuple[object, ...]:
    to = "(forgotten)" if one.get("forgotten") else one.get("to") or one.get("user_id")
    return (
        one["id"],
        one["status"],
        one.get("channel"),
        to,
        one["created_at"],
        one.get("subject") or one.get("template"),
    )


def _pair(text: str) -> tuple[str, str]:
    name, there, value = text.partition("=")
    if not there or not name:
        raise Trouble(f"--metadata {text} has no value", "write it as KEY=VALUE")
    return name, value


def _address(text: str) -> str:
    """As it was understood when it was accepted: a number without its blanks."""
    try:
        return (addresses.email if "@" in text else addresses.phone)(text.strip())
    except addresses.BadAddress:
        return text


def _instant(option: str, text: str | None) -> datetime | None:
    told = ago(text, utc_now())
    if told is None:
        return None
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        raise Trouble(f"{option} {text} is no time", "write 2027-03-01, 2027-03-01T08:00+01:00, or 60d") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _damaged(error: ValueError) -> Trouble:
    return Trouble(f"the archive is damaged: {error}", "bring that file back from a backup; all others can be searched")
