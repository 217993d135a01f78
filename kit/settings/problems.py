"""What is wrong with the settings, said so that a person can mend it."""

from collections.abc import Iterable
from difflib import get_close_matches


class SettingsError(Exception):
    """The settings cannot be used. `problems` has one sentence or two for each thing that is wrong."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, or None."""
    names = list(known)
    by_letters = {candidate.casefold(): candidate for candidate in names}
    close = get_close_matches(name.casefold(), by_letters, n=1, cutoff=0.6)
    return by_letters[close[0]] if close else None


def distance(one: str, other: str) -> int:
    """How many letters must be added, dropped, changed or swapped with their neighbour to make one of the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
