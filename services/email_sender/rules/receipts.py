"""What is told of a mail after a relay has taken it."""

from collections.abc import Mapping
from typing import Final

from contracts.events import Receipt
from contracts.status import Channel
from kit.delivery.rules import CalledBack, Result

_MEANT: Final[Mapping[str, CalledBack]] = {
    "delivered": CalledBack(Result.DELIVERED),
    "undelivered": CalledBack(Result.UNDELIVERED),
}


def meant_by(receipt: Receipt) -> CalledBack | None:
    """What it makes of a sent mail; None: nothing new."""
    return _MEANT.get(receipt.status) if receipt.channel is Channel.EMAIL else None
