"""How a notification and its timeline look, on a terminal and in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.text import Text

from client.shapes import Line, Notification

COLOURS: Final = {
    "accepted": "cyan",
    "scheduled": "blue",
    "handed_over": "cyan",
    "held": "yellow",
    "retrying": "yellow",
    "unknown": "yellow",
    "resent": "yellow",
    "failed_over": "yellow",
    "moved": "blue",
    "too_late": "yellow",
    "sent": "green",
    "delivered": "bold green",
    "read": "green",
    "cancelled": "magenta",
    "expired": "red",
    "rejected": "red",
    "failed": "bold red",
    "undelivered": "red",
    "refused": "red",
}


def console(*, errors: bool = False) -> Console:
    """Where people read: colours on a terminal only, no line broken, nothing guessed from the text."""
    return Console(file=sys.stderr if errors else sys.stdout, highlight=False, markup=False, soft_wrap=True)


class Story:
    """Tells a timeline as it fills: each line once, in the order in which it is heard."""

    def __init__(self, to: Console, *, name: str = "") -> None:
        """`name` is put before each line, where several are told at once."""
        self._to = to
        self._name = name
        self._told: set[Line] = set()

    def tell(self, seen: Notification) -> None:
        """What is new."""
        for told in seen.timeline:
            if told not in self._told:
                self._told.add(told)
                self._to.print(Text.assemble((f"{self._name:<10}" if self._name else "", "bold"), line(seen, told)))


def heading(seen: Notification, name: str = "") -> Text:
    """`email to ann@example.com  “Your order”`, and its id; `name` stands for the channel where it says more."""
    what = name or seen.channel or "+".join(seen.channels or ()) or "notification"
    said = f"  “{plain(seen.subject)}”" if seen.subject else ""
    return Text.assemble((what, "bold"), f" to {plain(seen.to or seen.user_id or '?')}", said, "  ", (seen.id, "dim"))


def line(seen: Notification, told: Line) -> Text:
    """`14:20:01.150  +0.03 s  sent         smtp`: local time, since the request, what, and how."""
    since = f"+{(told.at - seen.created_at).total_seconds():.2f} s" if seen.created_at else ""
    shown = Text.assemble(
        "  ",
        (clock(told.at), "dim"),
        (f"{since:>12}", "dim"),
        "  ",
        (f"{told.event:<12}", COLOURS.get(told.event, "")),
        ("  " + ", ".join(_how(told)), ""),
    )
    shown.rstrip()
    return shown


def verdict(seen: Notification) -> Text:
    """The end of the story in a few words; an end that nobody wished for has its reason."""
    reasons = () if seen.was_sent else (seen.reason, seen.detail)
    why = ": ".join(plain(part) for part in reasons if part and part != seen.status)
    words = f"{seen.status} ({why})" if why else seen.status
    return Text.assemble("= ", (words, COLOURS.get(seen.status, "")))


def clock(at: datetime) -> str:
    """The local time of day with milliseconds; with its day, where that is not today."""
    local = at.astimezone()
    time = local.strftime("%H:%M:%S.") + f"{local.microsecond // 1000:03}"
    return time if local.date() == datetime.now(local.tzinfo).date() else f"{local:%Y-%m-%d} {time}"


def plain(text: str) -> str:
    """Without what a terminal would obey: texts come from senders and providers."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def _how(told: Line) -> Iterator[str]:
    if told.provider:
        yield plain(told.provider)
    if told.try_ and told.try_ > 1:
        yield f"try {told.try_}"
    if told.detail:
        yield _readable(plain(told.detail))


def _readable(detail: str) -> str:
    """An instant in front is shown as people's clocks show it."""
    first, colon, rest = detail.partition(": ")
    try:
        at = datetime.fromisoformat(first)
    except ValueError:
        return detail
    return f"until {clock(at)}{colon}{rest}" if at.tzinfo else detail
