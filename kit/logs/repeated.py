"""What a library says ten times a second while a server is away is said now and then, with how often it was said."""

import logging
from collections.abc import Callable
from typing import Final

from kit.clock import monotonic

REST: Final = 10.0
"""Seconds for which the same words are not said again."""
MOST: Final = 200
"""Different words that are remembered; after that it begins anew."""


class Repeated(logging.Filter):
    """Lets the same warning or error of Kafka's client through once in REST seconds; the next one tells how many it
    stands for. Whatever else there is passes."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or not record.name.startswith("aiokafka"):
            return True
        text, now = record.getMessage(), self._clock()
        at, unsaid = self._said.get((record.name, text), (now - REST, 0))
        if now - at < REST:
            self._said[record.name, text] = at, unsaid + 1
            return False
        if len(self._said) >= MOST:
            self._said.clear()
        self._said[record.name, text] = now, 0
        if unsaid:
            record.msg, record.args = f"{text} (and {unsaid} times more since the last line)", ()
        return True
