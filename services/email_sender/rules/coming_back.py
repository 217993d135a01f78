"""What is made of a mail that came back: a word for the receipt, and from that word what becomes of the mail."""

from collections.abc import Mapping
from typing import Final

from contracts.events import Receipt
from contracts.status import Channel
from contracts.suppression import Cause
from kit.delivery.called_back import CalledBack
from kit.delivery.rules import Result
from services.email_sender.rules.report import Kind

WORDS: Final[Mapping[Kind, str]] = {
    Kind.DELAYED: "delayed",
    Kind.DELIVERED: "delivered",
    Kind.FAILED: "undelivered",
    Kind.GONE: "hard_bounce",
    Kind.COMPLAINT: "complaint",
}

# Whoever complains has it. Who reports a delay goes on trying, and so has taken it.
_MEANT: Final[Mapping[str, CalledBack]] = {
    "delayed": CalledBack(Result.SENT),
    "delivered": CalledBack(Result.DELIVERED),
    "undelivered": CalledBack(Result.UNDELIVERED),
    "hard_bounce": CalledBack(Result.UNDELIVERED, Cause.HARD_BOUNCE),
    "complaint": CalledBack(Result.DELIVERED, Cause.COMPLAINT),
}


def meant_by(receipt: Receipt) -> CalledBack | None:
    """What a receipt makes of a mail that was sent; None: nothing new, or not about a mail."""
    return _MEANT.get(receipt.status) if receipt.channel is Channel.EMAIL else None
