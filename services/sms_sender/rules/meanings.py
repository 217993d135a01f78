"""What a negative answer can mean for a text message, and what follows: the same for all providers."""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Final

from contracts.suppression import Cause
from kit.delivery.outcomes import PROVIDER_UNAVAILABLE, Halted, Outcome, Refused, Unavailable, Unknown, plain
from kit.delivery.rules import UNKNOWN_OUTCOME

LONGEST_WAIT: Final = 86_400.0


class Meaning(Enum):
    """What it means for the message."""

    TRANSIENT = auto()
    RECIPIENT = auto()
    STOPPED = auto()
    ROUTE = auto()
    UNREACHABLE = auto()
    MESSAGE = auto()
    CONFIGURATION = auto()
    DESTINATION = auto()
    UNCLEAR = auto()
    UNHEARD = auto()


# UNHEARD: what broke may have broken behind the acceptance, or between it and us (`of_status`).
# DESTINATION is the account's fault, but only for some numbers: one of them must not hold up all the others.
_OUTCOMES: Final[Mapping[Meaning, Callable[[str, float], Outcome]]] = {
    Meaning.TRANSIENT: lambda told, after: Unavailable(PROVIDER_UNAVAILABLE, told, after),
    Meaning.RECIPIENT: lambda told, _: Refused("recipient_refused", told, suppress=Cause.HARD_BOUNCE),
    Meaning.STOPPED: lambda told, _: Refused("recipient_refused", told, suppress=Cause.STOP),
    Meaning.ROUTE: lambda told, _: Refused("recipient_refused", told),
    Meaning.UNREACHABLE: lambda told, after: Unavailable("recipient_unreachable", told, after, patient=True),
    Meaning.MESSAGE: lambda told, _: Refused("message_refused", told),
    Meaning.CONFIGURATION: lambda told, after: Halted("provider_configuration", told, after, alarming=True),
    Meaning.DESTINATION: lambda told, after: Unavailable("provider_configuration", told, after, patient=True),
    Meaning.UNCLEAR: lambda told, after: Unavailable("provider_refused", told, after),
    Meaning.UNHEARD: lambda told, _: Unknown(UNKNOWN_OUTCOME, told),
}


def unnumbered(text: str, number: str) -> str:
    """What a provider says, without the number it is about: it is kept and shown for longer than the number is (P8)."""
    return text.replace(number, "<phone>")


def seconds_of(header: str) -> float:
    """What a Retry-After asks for, a day at most: more would hold everything up, and far more is no instant at all. 0
    where it is no number."""
    return min(float(header), LONGEST_WAIT) if header.isascii() and header.isdigit() else 0.0


def of_status(status: int, *, explained: bool) -> Meaning:
    """The class of an answer that names no code we know; `explained`: it names one, and so is the provider's own.

    After 5xx nobody knows: 500 is a mistake at any point ("it is possible for a customer to receive multiple messages",
    twilio.com/docs/errors/20500), 502 and 504 are said by who has passed the message on (RFC 9110, 15.6). Only a 503
    that the provider itself says has turned it away beforehand; of one without a word of his nobody knows who said it:
    proxies say it of connections that broke, too.
    """
    if status < 500:
        return Meaning.UNCLEAR
    return Meaning.TRANSIENT if status == 503 and explained else Meaning.UNHEARD


def outcome_of(meaning: Meaning, code: int | str, text: str, retry_after: float = 0.0) -> Outcome:
    """`code` and `text` are the provider's own and are shown, `retry_after` is in seconds."""
    return _OUTCOMES[meaning](plain(" ".join(filter(None, (str(code), text)))), retry_after)
