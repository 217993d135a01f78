"""How much a template may do. Only admins write templates: the limits are against a slip of the pen.

They count steps and characters, never seconds: the same template and data have the same fate on every machine and at
every repeat (P3.1).
"""

from typing import Final

SOURCE_CHARACTERS: Final = 64 * 1024
TEXT_CHARACTERS: Final = 256 * 1024
STEPS: Final = 20_000
"""Turns of loops and calls of macros; a table of a thousand rows and ten columns fits."""
LONGEST_PADDING: Final = 1_000
LARGEST_NUMBER: Final = 10**12
HIGHEST_POWER: Final = 64


class Unrenderable(ValueError):
    """No text comes of it: `reason` is "missing_data", "bad_template" or "too_large", `detail` names the place."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def within(self, place: str) -> "Unrenderable":
        """The same, for the part in which it happened ("html: …")."""
        return Unrenderable(self.reason, f"{place}: {self.detail}")


class Budget:
    """The steps that one rendering may take."""

    def __init__(self) -> None:
        self.left = STEPS

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Unrenderable("too_large", f"needs more than {STEPS} steps")


def short_enough(text: str) -> str:
    """The text unchanged. Raises Unrenderable when no mail should be that long."""
    if len(text) > TEXT_CHARACTERS:
        raise Unrenderable("too_large", f"makes more than {TEXT_CHARACTERS // 1024} Ki characters")
    return text
