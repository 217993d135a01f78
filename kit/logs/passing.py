"""What passes by itself is no error: a library says so at a level at which nobody is woken."""

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
