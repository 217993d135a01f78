"""What a mail server's answer means: the enhanced code decides first, then the basic code, then its first digit.

RFC 5321 (basic codes), RFC 3463 and the registry of enhanced status codes; 5.4.5 and the wording of 5.7.x as Gmail uses
them (support.google.com/a/answer/3726730).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from contracts.suppression import Cause
from kit.delivery.outcomes import (
    PROVIDER_UNAVAILABLE,
    RECIPIENT_DEFERRED,
    Halted,
    Outcome,
    Refused,
    Unavailable,
    plain,
)


class Step(Enum):
    """Where in the conversation it was said."""

    CONNECT = auto()
    TLS = auto()
    AUTH = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    DOT = auto()


OPENING: Final = frozenset({Step.CONNECT, Step.TLS, Step.AUTH})
"""Before any mail was spoken of: what is refused here is us."""
OUT_OF_TURN: Final = frozenset({500, 502, 503})
"""To a command of the envelope: it is the conversation that the server does not want, such as one without a login
("503 need AUTH first"), and it says that of every mail."""
OF_THE_MAIL: Final = frozenset({Step.RCPT, Step.DATA, Step.DOT})
"""Once it is known whom it is for."""


class Meaning(Enum):
    """What it means for the mail."""

    TRANSIENT = auto()
    DEFERRED = auto()
    RECIPIENT = auto()
    REFUSED = auto()
    FULL = auto()
    QUOTA = auto()
    CONFIGURATION = auto()
    MESSAGE = auto()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: the code of three digits, the enhanced code ("5.1.1", or nothing), the text without them."""

    code: int
    enhanced: str
    text: str

    @classmethod
    def of(cls, code: int, text: str) -> "Reply":
        """From the code and the rest of the lines."""
        found = _ENHANCED_CODE.match(text)
        return cls(code, found[1], text[found.end() :]) if found else cls(code, "", text)

    @property
    def told(self) -> str:
        """For people."""
        return plain(" ".join(filter(None, (str(self.code), self.enhanced, self.text))))


SAYS_NOBODY: Final = re.compile(
    r"(?:no|unknown|invalid) (?:such )?(?:user|mailbox|recipient|address)|(?:user|mailbox|recipient|address) (?:is )?"
    r"(?:unknown|not found|unavailable|invalid)|does ?n[o']t exist|unrouteable address",
    re.IGNORECASE,
)
"""There is no such mailbox, in the words that mail servers use."""
_ENHANCED_CODE: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_SAYS_RATE: Final = re.compile(r"\b(?:rate|quota|limit(?:s|ed)?|too many|throttl\w*)\b", re.IGNORECASE)
_FOR_HIM: Final = ("4.1.", "4.2.", "4.7.")
"""Address, mailbox, policy (greylisting): a relay says so of one recipient; the others, 4.3 and 4.4, of itself."""
_SAYS_FULL: Final = re.compile(r"\b(?:full|quota|storage)\b", re.IGNORECASE)

_BOTH_CODES: Final[Mapping[tuple[int, str], Meaning]] = {
    (452, "4.5.3"): Meaning.QUOTA,
    (454, "4.7.0"): Meaning.QUOTA,
}
_ENHANCED: Final[Mapping[str, Meaning]] = {
    "5.1.1": Meaning.RECIPIENT,
    "5.1.2": Meaning.RECIPIENT,
    "5.1.3": Meaning.RECIPIENT,
    "5.1.6": Meaning.RECIPIENT,
    "5.1.10": Meaning.RECIPIENT,
    "5.2.1": Meaning.RECIPIENT,
    "4.2.2": Meaning.FULL,  # as most servers say it; nobody empties it within minutes
    "5.2.2": Meaning.FULL,
    "5.3.4": Meaning.MESSAGE,
    "5.4.5": Meaning.QUOTA,
    "5.7.1": Meaning.MESSAGE,
    "5.7.8": Meaning.CONFIGURATION,
    "5.7.9": Meaning.CONFIGURATION,
}
_BASIC: Final[Mapping[int, Meaning]] = {
    530: Meaning.CONFIGURATION,
    534: Meaning.CONFIGURATION,
    535: Meaning.CONFIGURATION,
}

_OUTCOMES: Final[Mapping[Meaning, Callable[[str], Outcome]]] = {
    Meaning.TRANSIENT: lambda told: Unavailable(PROVIDER_UNAVAILABLE, told),
    Meaning.DEFERRED: lambda told: Unavailable(RECIPIENT_DEFERRED, told),
    Meaning.RECIPIENT: lambda told: Refused("recipient_refused", told, suppress=Cause.HARD_BOUNCE),
    Meaning.REFUSED: lambda told: Refused("recipient_refused", told),
    Meaning.FULL: lambda told: Unavailable("mailbox_full", told, patient=True),
    Meaning.QUOTA: lambda told: Halted("provider_quota", told),
    Meaning.CONFIGURATION: lambda told: Halted("provider_configuration", told, alarming=True),
    Meaning.MESSAGE: lambda told: Refused("message_refused", told),
}


def outcome(step: Step, reply: Reply) -> Outcome:
    """What a negative answer means for the mail that it was said about."""
    return _OUTCOMES[meaning(step, reply)](reply.told)


def meaning(step: Step, reply: Reply) -> Meaning:
    """The class of a negative answer."""
    return _by_enhanced(step, reply) or _by_basic(step, reply) or _by_digit(step, reply)


def _by_enhanced(step: Step, reply: Reply) -> Meaning | None:
    if both := _BOTH_CODES.get((reply.code, reply.enhanced)):
        return both
    if reply.enhanced.startswith("5.7.") and _SAYS_RATE.search(reply.text):
        return Meaning.QUOTA
    if reply.enhanced.startswith("4.") and reply.enhanced not in _ENHANCED:
        return Meaning.DEFERRED if step in OF_THE_MAIL and reply.enhanced.startswith(_FOR_HIM) else Meaning.TRANSIENT
    return _ENHANCED.get(reply.enhanced)


def _by_basic(step: Step, reply: Reply) -> Meaning | None:
    match reply.code:
        case 450 | 451 if step is Step.RCPT:
            return Meaning.DEFERRED
        case 550 | 553 if step is Step.RCPT and not reply.enhanced:
            # "relay not permitted" is a bare 550, too, and would be said of everybody: none of them is dead for that.
            return Meaning.RECIPIENT if SAYS_NOBODY.search(reply.text) else Meaning.REFUSED
        case code if code in OUT_OF_TURN and step is not Step.DOT:
            return Meaning.CONFIGURATION
        case 552:  # at RCPT the mailbox is over its limit, later the mail is, if nothing else is said
            return Meaning.FULL if step is Step.RCPT or _SAYS_FULL.search(reply.text) else Meaning.MESSAGE
    return _BASIC.get(reply.code)


def _by_digit(step: Step, reply: Reply) -> Meaning:
    if reply.code < 500:
        return Meaning.TRANSIENT
    # Whoever turns us away at the door says nothing about the mail: it is kept.
    return Meaning.CONFIGURATION if step in OPENING else Meaning.MESSAGE
