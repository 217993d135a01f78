"""What the answers of AWS SNS mean: its error code decides first, then the HTTP status.

Codes: docs.aws.amazon.com/sns/latest/api/API_Publish.html and CommonErrors.html beside it.
"""

from collections.abc import Mapping
from typing import Final

from kit.delivery.outcomes import Outcome
from services.sms_sender.rules.meanings import Meaning, of_status, outcome_of

_CODES: Final[Mapping[str, Meaning]] = {
    "InternalError": Meaning.UNHEARD,
    "InternalFailure": Meaning.UNHEARD,
    "ServiceUnavailable": Meaning.TRANSIENT,
    "Throttled": Meaning.TRANSIENT,
    "KMSThrottling": Meaning.TRANSIENT,
    "RequestLimitExceeded": Meaning.TRANSIENT,
    "TooManyRequestsException": Meaning.TRANSIENT,
    "InvalidParameter": Meaning.MESSAGE,
    "InvalidParameterValue": Meaning.MESSAGE,
    "ParameterValueInvalid": Meaning.MESSAGE,
    "ValidationError": Meaning.MESSAGE,
    "ValidationException": Meaning.MESSAGE,
    "EndpointDisabled": Meaning.RECIPIENT,
    "OptedOut": Meaning.STOPPED,
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccessDeniedException",
            "AuthorizationError",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "MissingAuthenticationToken",
            "NotAuthorized",
            "NotFound",
            "OptInRequired",
            "RequestExpired",
            "SignatureDoesNotMatch",
        ),
        Meaning.CONFIGURATION,
    ),
}
_FAMILIES: Final[Mapping[str, Meaning]] = {
    "Throttling": Meaning.TRANSIENT,
    "KMS": Meaning.CONFIGURATION,
}
_STATUSES: Final[Mapping[int, Meaning]] = {
    401: Meaning.CONFIGURATION,
    403: Meaning.CONFIGURATION,
    404: Meaning.CONFIGURATION,
    429: Meaning.TRANSIENT,
}

# One code for all parameters: its text names which. The number's own fault is no other message's.
_OF_ONE_PARAMETER: Final = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid"})
_NUMBER: Final = "phonenumber"


def outcome(status: int, code: str, text: str, retry_after: float = 0.0) -> Outcome:
    """What a negative answer means; `code` is AWS's own, `retry_after` in seconds.

    A code that nobody has met is worth the tries of the policy, and is shown.
    """
    return outcome_of(meaning(status, code, text), code or status, text, retry_after)


def meaning(status: int, code: str, text: str) -> Meaning:
    """The class of a negative answer."""
    if code in _OF_ONE_PARAMETER and _NUMBER in text.replace(" ", "").lower():
        return Meaning.RECIPIENT
    if code in _CODES:
        return _CODES[code]
    for family, found in _FAMILIES.items():
        if code.startswith(family):
            return found
    return _STATUSES.get(status) or of_status(status, explained=bool(code))
