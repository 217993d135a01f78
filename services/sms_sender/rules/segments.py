"""How many parts a text message has: providers charge for parts, not for messages (3GPP TS 23.038, TS 23.040)."""

from dataclasses import dataclass
from typing import Final

from contracts.events import Due

GSM_7: Final = "GSM-7"
UCS_2: Final = "UCS-2"

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")


@dataclass(frozen=True, slots=True)
class Segments:
    """The encoding that the whole message needs, and the parts it is cut into."""

    encoding: str
    count: int


def segments(text: str) -> Segments:
    """160 characters of GSM-7 fit into one part, 153 into each of several; of UCS-2 70 and 67. An empty text is one.

    A character of the extension table counts twice and is never cut in two, nor is a surrogate pair. One character
    outside the alphabet (a curly quote, an emoji) turns the whole message into UCS-2.
    """
    if all(c in _BASIC or c in _EXTENDED for c in text):
        return Segments(GSM_7, _parts([2 if c in _EXTENDED else 1 for c in text], 160, 153))
    return Segments(UCS_2, _parts([2 if ord(c) > 0xFFFF else 1 for c in text], 70, 67))


def measure(text: str) -> tuple[str, int]:
    """The encoding and the number of parts."""
    found = segments(text)
    return found.encoding, found.count


def parts_of(due: Due) -> int:
    """What a pace counts of it."""
    return segments(due.content.text or "").count if due.content else 1


def _parts(widths: list[int], alone: int, together: int) -> int:
    if sum(widths) <= alone:
        return 1
    parts, left = 1, together
    for width in widths:
        if width > left:
            parts, left = parts + 1, together
        left -= width
    return parts
