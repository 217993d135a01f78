"""What `tocsin doctor --try` sends: the simulators, a bell, and one whose time is to come; nobody gets any of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from client.errors import Refused, Unavailable
from client.rest import Tocsin
from client.shapes import Notification

USER: Final = "doctor"
ENDS: Final = {"delivered": "delivered", "slow": "delivered", "bounce": "undelivered"}
"""How these end; the two others are tried again for long, and so cancelled once that is seen."""
TRIED_AGAIN: Final = {"unavailable": "retrying", "unknown": "unknown"}
FATES: Final = ("delivered", "bounce", "slow", "unavailable", "unknown")


@dataclass(slots=True)
class Part:
    """One notification: what is asked for, what is to be seen on its timeline, and what is known of it."""

    name: str
    body: Mapping[str, Any]
    wanted: str
    seen: Notification | None = None
    refused: str | None = None
    off: bool = False
    cancels: bool = False

    @property
    def is_over(self) -> bool:
        """Nothing is to be waited for any more: it is as it should be, or cannot become so."""
        return self.refused is not None or self.off or self.is_well or self.has_failed

    @property
    def is_well(self) -> bool:
        """It came as it should, or is held because of hours, which is as it should be, too."""
        return self.off or any(line.event in (self.wanted, "held") for line in self._lines)

    @property
    def has_failed(self) -> bool:
        """It ended otherwise."""
        ended = self.seen is not None and self.seen.has_ended and self.seen.status not in ("sent", "delivered")
        return ended and not self.is_well

    @property
    def told(self) -> str:
        """A few words about it."""
        if self.off:
            return f"{self.name}: switched off"
        if self.refused or self.seen is None:
            return f"{self.name}: refused ({self.refused})"
        why = f" ({self.seen.detail or self.seen.reason})" if self.has_failed else ""
        state = self.wanted if self.is_well else f"still {self.seen.status}"
        return f"{self.name}: {self.seen.status if self.has_failed else state}{why}"

    @property
    def _lines(self) -> Sequence[Any]:
        return self.seen.timeline if self.seen else ()


def simulated() -> list[Part]:
    """Five by email, five by SMS, and a bell."""
    parts = [Part("inapp", {"channel": "inapp", "user_id": USER, "subject": "Test", "body": "Test"}, "sent")]
    for number, fate in enumerate(FATES, start=1):
        wanted, cancels = ENDS.get(fate) or TRIED_AGAIN[fate], fate in TRIED_AGAIN
        mail = {"channel": "email", "to": f"{fate}@simulator.test", "subject": "Test", "body": "Test"}
        text = {"channel": "sms", "to": f"+1500555000{number}", "body": "Test"}
        parts.append(Part(f"email {fate}", mail, wanted, cancels=cancels))
        parts.append(Part(f"sms {fate}", text, wanted, cancels=cancels))
    return parts


def at_once() -> list[Part]:
    """Urgent: no hours hold it."""
    mail = {"channel": "email", "to": "delivered@simulator.test", "subject": "Test", "body": "Test", "lane": "urgent"}
    text = {"channel": "sms", "to": "+15005550001", "body": "Test", "lane": "urgent"}
    return [Part("email", mail, "sent"), Part("sms", text, "sent")]


def reminder(now: datetime, seconds: float = 2.0) -> Part:
    """One whose time is to come."""
    due = (now + timedelta(seconds=seconds)).isoformat()
    return Part("reminder", {"channel": "inapp", "user_id": USER, "body": "Test", "send_at": due}, "sent")


def ask(tocsin: Tocsin, part: Part) -> None:
    """Asks for it."""
    try:
        part.seen = tocsin.get(tocsin.notify(**part.body).id)
    except Refused as error:
        part.off = error.code == "channel_disabled"
        part.refused = None if part.off else str(error)


def look(tocsin: Tocsin, part: Part) -> None:
    """What is away for a moment is looked at again; what would be tried for hours is cancelled once that is seen."""
    if part.seen is None or part.is_over:
        return
    with suppress(Unavailable):
        part.seen = tocsin.get(part.seen.id)
        if part.cancels and part.is_well:
            tocsin.cancel(part.seen.id)
