"""An alert becomes a notification for each person; one about the telling itself becomes none: that would never end."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from contracts.identity import milliseconds, notification_id
from contracts.request import NotificationRequest
from contracts.status import Channel, Lane

State = Literal["firing", "resolved"]
Life = tuple[str, datetime]
"""Fingerprint and start: one time that one alert fires, until it is resolved."""

OWNER: Final = "source:tocsin.alerts"
"""Who asks for what tells of alerts, whichever program has posted them: two Alertmanagers tell of one thing once."""
KIND: Final = "new_alert"
CATEGORY: Final = "alerts"
ABOUT: Final = "about"
"""The label by which a rule says what it watches; `alerts`: the telling of alerts itself."""
NOTIFICATION: Final = "notification_id"
"""The label or annotation of an alert about one notification."""
SEVERE: Final = frozenset({"critical", "page"})

_SUBJECT, _TEXT, _LABEL, _SMS, _METADATA_BYTES = 200, 4000, 200, 300, 64
_MOST_LABELS: Final = 20
_WEB: Final = re.compile(r"https?://\S{1,1900}")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as Alertmanager tells it; `source` is a page about the rule that fired."""

    state: State
    fingerprint: str
    starts_at: datetime
    ends_at: datetime | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    source: str

    @property
    def life(self) -> Life:
        return self.fingerprint, self.starts_at

    @property
    def name(self) -> str:
        return line(self.labels.get("alertname", ""), _LABEL) or "unnamed"

    @property
    def severity(self) -> str:
        return line(self.labels.get("severity", ""), _LABEL)

    @property
    def is_about_alerts(self) -> bool:
        """Whether its rule watches the telling of alerts."""
        return self.labels.get(ABOUT) == CATEGORY

    @property
    def named(self) -> UUID | None:
        """The notification that it is about."""
        try:
            return UUID(self.labels.get(NOTIFICATION) or self.annotations.get(NOTIFICATION) or "")
        except ValueError:
            return None


def places(
    alerts: Iterable[Alert], known: Mapping[Life, datetime | None], taken: Counter[str], hour: datetime, most: int
) -> dict[Life, datetime | None]:
    """The hour in which each life is told, None while it is held back: of a name at most so many begin in an hour.

    What was told stays told, so that it is also told as resolved. `known` are the lives heard of before, `taken` counts
    the places of this hour by name. What is held back gets a place when it is heard of again and still fires.
    """
    found: dict[Life, datetime | None] = {}
    taken = taken.copy()
    for alert in alerts:
        given = found.get(alert.life) or known.get(alert.life)
        over = alert.state == "resolved" and alert.life in known
        if given is None and not over and taken[alert.name] < most:
            given = hour
            taken[alert.name] += 1
        found[alert.life] = given
    return found


def id_of(tenant: str, alert: Alert, recipient: str) -> UUID:
    """The same alert in the same state is one notification to each, however often it is posted."""
    fingerprint, starts_at = alert.life
    return notification_id(tenant, OWNER, f"{fingerprint}/{milliseconds(starts_at)}/{alert.state}/{recipient}")


def request(alert: Alert, recipient: str, has_email: bool) -> NotificationRequest:
    """What this recipient is told: an address by itself, a person in the bell and, if there is an address, by email."""
    severe = alert.state == "firing" and alert.severity in SEVERE
    common: dict[str, Any] = {
        "subject": _subject(alert),
        "kind": KIND,
        "category": CATEGORY,
        "lane": Lane.URGENT if severe else Lane.NORMAL,
        "group": f"alert:{alert.fingerprint}:{milliseconds(alert.starts_at)}",
        "metadata": {name: _cut(text) for name, text in _facts(alert).items()},
    }
    channel = channel_of(recipient)
    if channel is Channel.SMS:
        return NotificationRequest(channel=channel, to=recipient, body=_short(alert), **common)
    if channel is Channel.EMAIL:
        return NotificationRequest(channel=channel, to=recipient, body=_text(alert), **common)
    common |= {"user_id": recipient, "body": _text(alert), "data": _facts(alert) | _link(alert)}
    if has_email:
        return NotificationRequest(channels=(Channel.INAPP, Channel.EMAIL), **common)
    return NotificationRequest(channel=Channel.INAPP, **common)


def channel_of(recipient: str) -> Channel:
    """How somebody of the setting is reached: an address speaks for itself, everybody else is a person."""
    if "@" in recipient:
        return Channel.EMAIL
    return Channel.SMS if recipient.startswith("+") else Channel.INAPP


def line(text: str, most: int) -> str:
    """What others wrote, as one line of text without control characters."""
    plain = "".join(character if character.isprintable() else " " for character in text[: 2 * most])
    return " ".join(plain.split())[:most]


def _subject(alert: Alert) -> str:
    said = alert.annotations.get("summary") or alert.annotations.get("title") or ""
    word = "Alert" if alert.state == "firing" else "Resolved"
    return f"{word}: {line(said, _SUBJECT) or alert.name}"


def _text(alert: Alert) -> str:
    """What it is, since when, of what, and what to do: a line each."""
    told = [line(part, _TEXT) for part in _described(alert).splitlines()]
    labels = sorted((name, text) for name, text in alert.labels.items() if name not in ("alertname", "severity"))
    runbook = _web(alert.annotations.get("runbook_url")) or line(alert.annotations.get("runbook", ""), _LABEL)
    links = (("What to do", runbook), ("Rule", _web(alert.source)))
    parts = (
        "\n".join(told),
        _when(alert),
        "\n".join(f"{line(name, _LABEL)}: {line(text, _LABEL)}" for name, text in labels[:_MOST_LABELS]),
        "\n".join(f"{word}: {where}" for word, where in links if where),
    )
    return "\n\n".join(part for part in parts if part)


def _short(alert: Alert) -> str:
    return line(f"{_subject(alert)}. {_described(alert)}", _SMS)


def _described(alert: Alert) -> str:
    return (alert.annotations.get("description") or alert.annotations.get("message") or "")[:_TEXT]


def _when(alert: Alert) -> str:
    """Times in UTC: who is told sits anywhere."""
    since = f"since {alert.starts_at:%Y-%m-%d %H:%M:%S} UTC"
    until = f", until {alert.ends_at:%Y-%m-%d %H:%M:%S} UTC" if alert.ends_at and alert.state == "resolved" else ""
    return f"{alert.name}{f' ({alert.severity})' if alert.severity else ''}, {since}{until}"


def _facts(alert: Alert) -> dict[str, str]:
    told = {"alert": alert.name, "state": alert.state, "severity": alert.severity}
    return {name: text for name, text in told.items() if text}


def _link(alert: Alert) -> dict[str, str]:
    """Where the bell leads: to what is to be done."""
    url = _web(alert.annotations.get("runbook_url")) or _web(alert.source)
    return {"url": url} if url else {}


def _web(text: str | None) -> str | None:
    return text if text and _WEB.fullmatch(text) and text.isprintable() else None


def _cut(text: str) -> str:
    return text.encode()[:_METADATA_BYTES].decode(errors="ignore")
