"""One record of Kafka as this language sees it: bytes, headers, a place, and sentences for what is wrong with it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from contracts.wording import worded

Headers = Sequence[tuple[str, bytes]]

DIGITS: Final = 4300
"""The longest number that any reader of ours takes (CPython, `sys.int_info.default_max_str_digits`)."""


class Undecodable(ValueError):
    """Nobody can read this record: it is poison (P7)."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """One record as Kafka takes it."""

    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Place(NamedTuple):
    """Where a record stands: without an id of its own, that is its name (P1)."""

    partition: int
    offset: int
    timestamp: datetime


def json_object(value: bytes) -> dict[str, Any]:
    """The JSON object of these bytes. Raises Undecodable."""
    try:
        body = from_json(value, allow_inf_nan=False)
    except ValueError as error:
        raise Undecodable(f"is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise Undecodable("is JSON, but not an object")
    return body


def what_can_be_read(value: bytes) -> dict[str, Any]:
    """Of a JSON object that `json_object` refuses: its own texts and numbers, enough to say whose it is.

    Left out are longer numbers and what is nested; half a surrogate pair becomes a question mark. Raises Undecodable
    for what is no JSON in UTF-8 (RFC 8259), no object, or nested some hundred levels deep.
    """
    try:
        body = json.loads(value.decode(), parse_int=_short_number, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Undecodable(f"is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise Undecodable("is JSON, but not an object")
    return {_whole(name): _whole(item) for name, item in body.items() if not isinstance(item, dict | list)}


def _short_number(digits: str) -> int | None:
    return int(digits) if len(digits) <= DIGITS else None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _whole(item: Any) -> Any:
    return item.encode(errors="replace").decode() if isinstance(item, str) else item


def text_of(raw: bytes | None) -> str:
    """A header or key as text; empty when it is absent or not UTF-8."""
    try:
        return (raw or b"").decode()
    except UnicodeDecodeError:
        return ""


def printable(text: str) -> str:
    """The text without control characters."""
    return text if text.isprintable() else "".join(c for c in text if c.isprintable())


def problems_of(error: ValidationError) -> tuple[str, ...]:
    """What is wrong, a line each, beginning with the field: "to: is not an email address"."""
    found = error.errors(include_url=False, include_input=False)
    return tuple(line for one in found for line in _lines(one))


def sentence(error: ValidationError) -> str:
    """The same in one line of at most 500 characters."""
    return "; ".join(problems_of(error))[:500]


def _lines(found: ErrorDetails) -> Iterator[str]:
    field = ".".join(printable(str(part))[:64] for part in found["loc"])
    text = worded(found)
    if field:
        yield f"{field}: {text}"
    else:  # a check over all fields: its lines name their fields themselves
        yield from text.splitlines()
