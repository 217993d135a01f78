"""Telling a person how it goes, also when somebody else is at it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class Teller(Protocol):
    """Tells a person how it goes."""

    def say(self, text: str) -> None:
        """One step."""

    def progress(self, text: str, done: int, total: int) -> None:
        """How far a long step is."""


@contextmanager
def alone(folder: Path, tell: Teller) -> Iterator[None]:
    """Of two people who start or stop at once, the second waits."""
    with (folder / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell.say("waiting for another start or stop to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
