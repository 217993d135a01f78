"""Why a stream ended, and whether the client should come back: the codes of docs/stream.md."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Close:
    """A close code (RFC 6455, 7.4), its sentence, and `back`: whether to come back with a new ticket and the place."""

    code: int
    reason: str
    back: bool


RESTART: Final = Close(1012, "this gateway stops: come back", True)
AWAY: Final = Close(1013, "the database is away: come back in a moment", True)
FULL: Final = Close(1013, "this gateway has no room: come back in a moment", True)
BAD_FRAME: Final = Close(4400, "only a text frame with the JSON object {type: ping} is understood", False)
BAD_PLACE: Final = Close(4400, "epoch and offset belong together: those of the last frame that was seen", False)
BAD_TICKET: Final = Close(4401, "the ticket is unknown, used or expired: take a new one", True)
EXPIRED: Final = Close(4403, "the token behind this stream has expired: log in again", False)
SLOW: Final = Close(4008, "too slow: come back and go on where you were", True)
TOO_MANY: Final = Close(4009, "this person has too many streams open here: close one", False)
TOO_MUCH: Final = Close(4029, "too many frames from you", False)
