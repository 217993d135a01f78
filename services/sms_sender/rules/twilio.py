"""What Twilio's answers mean: its error code decides first, then the HTTP status.

Codes: twilio.com/docs/api/errors. Statuses of messages: twilio.com/docs/messaging/guides/track-outbound-message-status.
"""

from collections.abc import Mapping
from typing import Final

from contracts.events import Receipt
from contracts.status import Channel
from contracts.suppression import Cause
from kit.delivery.called_back import CalledBack
from kit.delivery.outcomes import Outcome
from kit.delivery.rules import Result
from services.sms_sender.rules.meanings import Meaning, of_status, outcome_of

_CODES: Final[Mapping[int, Meaning]] = {
    20429: Meaning.TRANSIENT,
    21730: Meaning.TRANSIENT,
    30001: Meaning.TRANSIENT,
    21211: Meaning.RECIPIENT,
    21214: Meaning.RECIPIENT,
    21610: Meaning.STOPPED,
    21614: Meaning.RECIPIENT,
    30005: Meaning.RECIPIENT,
    30006: Meaning.RECIPIENT,
    21612: Meaning.ROUTE,
    30003: Meaning.UNREACHABLE,
    30008: Meaning.UNCLEAR,
    21617: Meaning.MESSAGE,
    30004: Meaning.MESSAGE,
    30007: Meaning.MESSAGE,
    20003: Meaning.CONFIGURATION,
    21606: Meaning.CONFIGURATION,
    21659: Meaning.CONFIGURATION,
    30002: Meaning.CONFIGURATION,
    21408: Meaning.DESTINATION,
    21608: Meaning.DESTINATION,
}
_STATUSES: Final[Mapping[int, Meaning]] = {
    401: Meaning.CONFIGURATION,
    403: Meaning.CONFIGURATION,
    404: Meaning.CONFIGURATION,
    429: Meaning.TRANSIENT,
}


def outcome(status: int, code: int | None, text: str, retry_after: float = 0.0) -> Outcome:
    """What a negative answer means; `code` is Twilio's own, `retry_after` in seconds.

    A code that nobody has met is worth the tries of the policy, and is shown.
    """
    return outcome_of(meaning(status, code), code or status, text, retry_after)


def meaning(status: int, code: int | None) -> Meaning:
    """The class of a negative answer."""
    if code is not None and code in _CODES:
        return _CODES[code]
    return _STATUSES.get(status) or of_status(status, explained=code is not None)


_RESULTS: Final[Mapping[str, Result]] = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), Result.SENT),
    "delivered": Result.DELIVERED,
    "read": Result.DELIVERED,
    "undelivered": Result.UNDELIVERED,
    "failed": Result.UNDELIVERED,
}
_CAUSES: Final[Mapping[Meaning, Cause]] = {Meaning.RECIPIENT: Cause.HARD_BOUNCE, Meaning.STOPPED: Cause.STOP}


def meant_by(receipt: Receipt) -> CalledBack | None:
    """What a status that was called back makes of a message; None: nothing, or not about a text message."""
    result = _RESULTS.get(receipt.status) if receipt.channel is Channel.SMS else None
    if result is not Result.UNDELIVERED:
        return CalledBack(result) if result else None
    code = int(receipt.code) if receipt.code and receipt.code.isdecimal() else None
    return CalledBack(result, _CAUSES.get(meaning(0, code)))
