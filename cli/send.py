"""`tocsin send`: one notification, asked for over REST."""

from __future__ import annotations

import json as encoding
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli import watch as watching
from cli.attaching import attachment
from cli.gateway import Tenant, Token, Url, gateway
from cli.output import Json, emit
from deploy.local.trouble import Trouble
from kit.clock import utc_now

ME = "developer"
AHEAD = re.compile(r"\+(\d{1,9})(s|m|h|d)")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
STDIN = "-"


def send(
    channel: Annotated[Literal["email", "sms", "inapp"], typer.Option("--channel", help="By which way.")] = "email",
    to: Annotated[str | None, typer.Option("--to", help="An email address, or a number like +46701740605.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="A person of the directory, instead of --to.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="One line.")] = None,
    body: Annotated[str | None, typer.Option("--body", help="The text; - reads it from standard input.")] = None,
    html: Annotated[str | None, typer.Option("--html", help="The text as HTML; - reads standard input.")] = None,
    template: Annotated[str | None, typer.Option("--template", help="A template instead of a text.")] = None,
    data: Annotated[str | None, typer.Option("--data", help="JSON for the template, or - for standard input.")] = None,
    lane: Annotated[Literal["urgent", "normal", "bulk"], typer.Option("--lane", help="How urgent.")] = "normal",
    send_at: Annotated[
        str | None,
        typer.Option("--send-at", help="2027-03-01T08:00:00+01:00, or +10m (s, m, h, d) from now."),
    ] = None,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="Of a --send-at without an offset.")] = None,
    category: Annotated[str | None, typer.Option("--category", help="What a person can opt out of.")] = None,
    attach: Annotated[list[Path] | None, typer.Option("--attach", help="A file of an email; may be repeated.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="A name to cancel several by.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Idempotency key: the same key is one message.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Then show its timeline until it has ended.")] = False,
    sender: Annotated[str, typer.Option("--as", help="Who asks.")] = ME,
    tenant: Tenant = None,
    url: Url = None,
    token: Token = None,
    json: Json = False,
) -> None:
    """Send one notification; prints its id. Once it is printed, it cannot get lost."""
    texts = {"body": body, "html": html, "data": data}
    if list(texts.values()).count(STDIN) > 1:
        raise Trouble("standard input can be read once", "give - to one option only")
    texts = {name: sys.stdin.read() if text == STDIN else text for name, text in texts.items()}
    asked: dict[str, Any] = {
        "channel": channel,
        "to": to,
        "user_id": user,
        "subject": subject,
        "body": texts["body"],
        "html": texts["html"],
        "template": template,
        "data": _object(texts["data"]),
        "lane": lane,
        "send_at": instant(send_at, utc_now()),
        "time_zone": time_zone,
        "category": category,
        "attachments": [attachment(file) for file in attach or ()] or None,
        "group": group,
    }
    with gateway(sender, "service", url=url, token=token, tenant=tenant) as tocsin:
        taken = tocsin.notify(key=key, **{name: value for name, value in asked.items() if value is not None})
        if watch:
            watching.until_the_end(tocsin, taken.id, None, as_json=json)
            return
    emit(taken.model_dump(mode="json", exclude_none=True), as_json=json, people=lambda: print(taken.id))


def instant(text: str | None, now: datetime) -> str | None:
    """`+10m` as the instant it means; everything else goes to the gateway as it is. Raises Trouble."""
    if text is None or not text.startswith("+"):
        return text
    ahead = AHEAD.fullmatch(text)
    if ahead is None:
        raise Trouble(f"--send-at {text} is no time", "write +30s, +10m, +2h, +1d, or 2027-03-01T08:00:00+01:00")
    try:
        return (now + timedelta(**{UNITS[ahead[2]]: int(ahead[1])})).isoformat()
    except OverflowError:
        raise Trouble(f"--send-at {text} lies too far ahead", "no calendar has that day; give fewer") from None


def _object(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = encoding.loads(text)
    except ValueError as error:
        raise Trouble(f"--data is not JSON ({error})", """write it like --data '{"name": "Ann"}'""") from None
    if not isinstance(value, dict):
        raise Trouble("--data is not a JSON object", """write it like --data '{"name": "Ann"}'""")
    return value
