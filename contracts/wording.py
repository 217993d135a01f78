"""What a check of pydantic found, said so that whoever wrote the field can mend it."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic_core import ErrorDetails

NAME: Final = r"^[A-Za-z0-9_.:@\-]+$"
WORD: Final = r"^[A-Za-z0-9_.\-]+$"
LINE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
"""One line without control characters, as a pattern of JSON Schema."""
PART_OF_A_KEY: Final = LINE.replace("[^", "[^/")
DATA_NAME: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
LOCALE: Final = r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$"

NO_FIELD: Final = "is not a field here: look at its spelling, or leave it out"

_FORMS: Final[Mapping[str, str]] = {
    NAME: "holds more than letters, digits and _ . : @ -: leave the other characters out",
    WORD: "holds more than letters, digits and _ . -: leave the other characters out",
    DATA_NAME: "is not a name for data: write letters, digits and _, no digit first",
    LINE: "holds a line break or control character: write one line of plain text",
    PART_OF_A_KEY: "holds a slash, a line break or control character: leave it out",
    LOCALE: "is not a language: write it like fr or fr-CA",
}

_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "string_pattern_mismatch": lambda told: _FORMS.get(told["pattern"], f"does not have the form {told['pattern']}"),
    "string_too_long": lambda told: f"has more than {told['max_length']} characters: shorten it",
    "string_too_short": lambda _: "is empty: say something, or leave it out",
    "too_long": lambda told: f"has more than {told['max_length']} entries: leave some out",
    "extra_forbidden": lambda _: NO_FIELD,
}


def worded(found: ErrorDetails) -> str:
    """What is wrong and what would help, without the field's name and without what was written there."""
    say = _SENTENCES.get(found["type"])
    return say(found.get("ctx", {})) if say else found["msg"].removeprefix("Value error, ")
