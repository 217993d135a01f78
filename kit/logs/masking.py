"""The safety net of the logs: what looks like an address, a secret or a text for people does not get through."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from structlog.typing import EventDict, WrappedLogger

MASK: Final = "***"
DEEPEST: Final = 6
LONGEST: Final = 16_384

# Fields that hold nothing else. They do not belong in a log line at all; a slip is mended here.
PRIVATE_FIELDS: Final = frozenset(
    {"address", "destinataire", "email", "email_address", "from_email", "phone", "phone_number", "recipient"}
    | {"reply_to", "to", "to_address", "to_email"}
    | {
        "attachments",
        "body",
        "contenu",
        "data",
        "html",
        "message_body",
        "params",
        "payload",
        "subject",
        "sujet",
        "text",
    }
    | {"api_key", "authorization", "cookie", "jwt", "password", "secret", "signature", "ticket", "token"}
)

_QUERY = re.compile(r"(?<=[^\s?])\?[^\s\"'?]*=[^\s\"']*")
_ASSIGNED = re.compile(
    r"(?i)\b(\w*(?:ticket|token|secret|password|passwd|api[_-]?key|signature))([\"']?\s*[=:]\s*[\"']?)[^\s&\"',;)}\]]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+")
_JWT = re.compile(r"\beyJ[\w-]+\.[\w-]+\.?[\w-]*")
_API_KEY = re.compile(r"\btk_\w+")
_IN_URL = re.compile(r"(?<=://)[^/@\s:]*:[^/@\s]*@")
_EMAIL = re.compile(
    r"(?<![^\s@<>\"'(),;:/*\[\]])[^\s@<>\"'(),;:/*\[\]]+"  # from the beginning of a word, so that it stays linear
    r"@[^\s@<>\"'(),;:/\[\]]*[^\s@<>\"'(),;:/.\[\]]"
)
_QUOTED_EMAIL = re.compile(r"\"[^\"\n]{1,64}\"@[\w.-]+")
_PHONE = re.compile(
    r"(?<![\w.:])(?:\+|00)[1-9](?:[ .()/-]{0,2}\d){6,14}(?![\w-])"  # international
    r"|(?<![\w.:+-])0[1-9](?:[ .-]?\d{2}){4}(?![\w-])"  # national, as in France
)

_NETS: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (_IN_URL, f"{MASK}@"),
    (_QUERY, f"?{MASK}"),
    (_BEARER, rf"\1 {MASK}"),
    (_JWT, MASK),
    (_API_KEY, MASK),
    (_ASSIGNED, rf"\1\2{MASK}"),
    (_QUOTED_EMAIL, "<email>"),
    (_EMAIL, "<email>"),
    (_PHONE, "<phone>"),
)


def masked(text: str) -> str:
    """The text without addresses, tokens and query strings."""
    for pattern, instead in _NETS:
        text = pattern.sub(instead, text)
    return text


def mask_line(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """A structlog processor: the last one before the line becomes JSON, so that stack traces pass through it too."""
    return {str(name): _value(str(name), value, 0) for name, value in line.items()}


def hashed(address: str) -> str:
    """Twelve letters that stand for an address, to see that two lines are about the same one.

    Who has a list of addresses can find the one behind it: use it rarely.
    """
    return hashlib.blake2b(address.strip().casefold().encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _value(name: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if name.lower() in PRIVATE_FIELDS or depth > DEEPEST:
        return MASK
    if isinstance(value, int | float):
        return value
    if isinstance(value, Mapping):
        return {masked(str(key)): _value(str(key), inside, depth + 1) for key, inside in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value("", inside, depth + 1) for inside in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    return masked(_short(value if isinstance(value, str) else str(value)))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text) - LONGEST} more characters)"
