"""What is told of a mail after a relay has taken it."""

from collections.abc import Mapping
from typing import Final

from contracts.events import Receipt
from contracts.status import Channel
from kit.delivery.rules import Result

_RESULTS: Final[Mapping[str, Result]] = {
    "delivered": Result.DELIVERED,
    "undelivered": Result.UNDELIVERED,
}


def meant_by(receipt: Receipt) -> Result | None:
    """What it makes of a sent mail; None: nothing new."""
    return _RESULTS.get(receipt.status) if receipt.channel is Channel.EMAIL else None
