"""What passes by itself is no error, and what is said again at once is no news: Kafka's client does both."""

import logging
from typing import Final

PASSING: Final = ("NotLeaderForPartition", "LeaderNotAvailable", "GroupCoordinatorNotAvailable")
"""What Kafka answers for a moment after a topic was made or a broker has started, a new one for as long as it takes to
make the topic of groups' offsets; its client asks again."""


class PassingTrouble(logging.Filter):
    """Lowers such a line of Kafka's client from error to warning. Lets every line through."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno == logging.ERROR and record.name.startswith("aiokafka"):
            text = record.getMessage()
            if any(name in text for name in PASSING):
                record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


AGAIN: Final = 10.0
"""Seconds after which Kafka's client may say the same again."""
MOST: Final = 1000
"""Sentences that are remembered: far more than there are at a time."""


class SaidAgain(logging.Filter):
    """Leaves out what Kafka's client has just said in the same words. While Kafka is away each service's clients say so
    more than a hundred times a second, and what else was said would soon be pushed out of the files."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("aiokafka"):
            return True
        words = record.getMessage()
        if 0 <= record.created - self._said.get(words, -AGAIN) < AGAIN:
            return False
        if len(self._said) == MOST:
            self._said.clear()
        self._said[words] = record.created
        return True
