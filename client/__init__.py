"""Tell people things by Tocsin: `Tocsin(url, token).notify(...)`; `AsyncTocsin` awaits, `KafkaTocsin` publishes."""

from .aio import AsyncTocsin
from .deadlines import Deadlines
from .errors import (
    NotFound,
    NotYet,
    Refused,
    Strange,
    TocsinError,
    TokenRefused,
    Unavailable,
    Unreachable,
)
from .rest import Tocsin
from .schedules import Schedules
from .shapes import Line, Notification, Result
from .templates import Templates
from .webhooks import Webhooks

__all__ = [
    "AsyncTocsin",
    "Deadlines",
    "Line",
    "NotFound",
    "NotYet",
    "Notification",
    "Refused",
    "Result",
    "Schedules",
    "Strange",
    "Templates",
    "Tocsin",
    "TocsinError",
    "TokenRefused",
    "Unavailable",
    "Unreachable",
    "Webhooks",
]
