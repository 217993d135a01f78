"""Label values are bounded, so that no input can make the number of series grow."""

from typing import Final

OTHER: Final = "other"
MOST_VALUES: Final = 60
MOST_ROUTES: Final = 250
"""They come from the program itself, and there are more of them than of anything else."""


class Bounded:
    """A value beyond the first sixty of its label counts as `other`."""

    def __init__(self) -> None:
        self._values: dict[str, set[str]] = {}

    def __call__(self, label: str, value: str) -> str:
        """The value as it is counted."""
        known = self._values.setdefault(label, set())
        if value in known:
            return value
        if len(known) >= (MOST_ROUTES if label == "route" else MOST_VALUES):
            return OTHER
        known.add(value)
        return value
