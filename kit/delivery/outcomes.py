"""What a provider makes of one message: a value each, so that one place decides what follows."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from contracts.suppression import Cause

LONGEST: Final = 300

PROVIDER_UNAVAILABLE: Final = "provider_unavailable"
"""As a reason: the provider itself is to blame, whatever the message; another one may do better."""
RECIPIENT_DEFERRED: Final = "recipient_deferred"
"""As a reason: not now, because of whom it is for (greylisting, a busy mailbox); another provider hears the same."""


class Accepted(NamedTuple):
    """The provider has it. `segments` and `encoding` of a text message."""

    provider_id: str | None = None
    detail: str | None = None
    segments: int | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """It will be refused every time; `suppress`: the address itself is to blame, for this cause."""

    reason: str
    detail: str | None = None
    suppress: Cause | None = None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Surely not sent, and worth another try; not before `retry_after` seconds, if the provider names some.

    `patient`: only the recipient can mend it (a full mailbox), which takes hours.
    """

    reason: str
    detail: str | None = None
    retry_after: float = 0.0
    patient: bool = False

    @property
    def blames_provider(self) -> bool:
        return self.reason == PROVIDER_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Halted:
    """Surely not sent, and through no fault of the message: for now the provider takes nothing from us.

    Quotas pass by themselves; a wrong password (`alarming`) does not. No attempt is used.
    """

    reason: str
    detail: str | None = None
    retry_after: float = 0.0
    alarming: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """It was handed over, and nobody knows whether it was taken."""

    reason: str
    detail: str | None = None


Outcome = Accepted | Refused | Unavailable | Halted | Unknown


def plain(text: str) -> str:
    """What a provider said, in one printable line of at most 300 characters that a table and JSON can hold."""
    if text.isprintable() and len(text) <= LONGEST:
        return text
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST]
