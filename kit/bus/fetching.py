"""A fetch that leaves nobody out may wait for long: it costs an idle reader little, and no record a moment."""

from collections.abc import Callable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

LONGEST_MS: Final = 1000
"""What was moved by a seek, resumed, or assigned while a fetch is under way is asked for after it."""

# The client sends one fetch at a time, for the partitions of which it holds no records, and lets it wait as long as
# the one number says that it was made with. A partition that was emptied meanwhile is not in that fetch: what comes to
# it lies unread until the next one, so that number has to be small, and idle readers ask Kafka ten times a second.
# But where the fetch is for all that we read, any record ends it. The client has no option for that; it reads the
# number anew for each request.


class Fetching:
    """How long the next fetch waits: `prompt_ms` where a partition is left out or has just moved on; twice as long
    each time that nothing came, up to LONGEST_MS."""

    def __init__(self, kafka: AIOKafkaConsumer, prompt_ms: int) -> None:
        """`kafka` is started."""
        self._fetcher = kafka._fetcher
        self._prompt_ms = prompt_ms
        self._read: dict[TopicPartition, int] = {}
        self._ask: Callable[[Any], Any] = self._fetcher._get_actions_per_node
        self._fetcher._get_actions_per_node = self._asked

    def _asked(self, assignment: Any) -> Any:
        read = self._whole(assignment)
        waits = self._fetcher._fetch_max_wait_ms
        self._fetcher._fetch_max_wait_ms = (
            min(waits * 2, LONGEST_MS) if read and read == self._read else self._prompt_ms
        )
        actions = self._ask(assignment)
        if actions[0]:
            self._read = read
        else:  # no request was made: the next one waits as this one would have
            self._fetcher._fetch_max_wait_ms = waits
        return actions

    def _whole(self, assignment: Any) -> dict[TopicPartition, int]:
        """Where each partition is read; nothing where one of them is left out of a fetch that is made now."""
        read = {}
        for place in assignment.tps:
            state = assignment.state_value(place)
            if place in self._fetcher._records or state.paused or not state.has_valid_position:
                return {}
            read[place] = state.position
        return read
