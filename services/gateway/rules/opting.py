"""What somebody answers to a text message: STOP and its like, START and its like, or anything else.

Twilio's own words (help.twilio.com, "Twilio support for opt-out keywords"), which it blocks a number by in some
countries; and the French ones, which it does not know everywhere.
"""

from enum import Enum, auto
from typing import Final

STOP: Final = frozenset(
    {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "arret", "arrêt", "stopsms"}
)
START: Final = frozenset({"start", "yes", "unstop"})


class Wish(Enum):
    """About all messages to this number."""

    STOP = auto()
    START = auto()


def wish_of(said: str, opt_out_type: str | None = None) -> Wish | None:
    """The whole message must be the word. `opt_out_type`: where Twilio has understood it already, in the words that the
    account has set."""
    if opt_out_type:
        return {"STOP": Wish.STOP, "START": Wish.START}.get(opt_out_type.strip().upper())
    word = "".join(said.split()).strip(".!").casefold()
    return Wish.STOP if word in STOP else Wish.START if word in START else None
