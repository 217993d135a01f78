"""What stops the stack is said in one sentence, with the remedy."""

from __future__ import annotations


class Trouble(Exception):
    """Something outside the product is in the way; `str()` is one sentence for people that ends with what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}: {remedy}.")
        self.what = what
        self.remedy = remedy
