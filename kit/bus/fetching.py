"""A fetch that leaves nobody out may wait for long: it costs an idle reader little, and no record a moment."""

from collections.abc import Callable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

# How long a fetch waits for a first record, in milliseconds. It ends with any record of a partition that it asks for;
# these are for the others, which were just emptied, moved by a seek, resumed or assigned: their next record lies unread
# until the next fetch.
PROMPT_MS: Final = 100
"""Where somebody waits for the record."""
CALM_MS: Final = 500
"""Where nobody does: each fetch costs Kafka and us half a millisecond."""
FOLLOWING_MS: Final = 40
"""Of a follower, who gathers: what is said within this time comes with one fetch, and not with one for each record."""
LONGEST_MS: Final = 1000
"""While nothing comes to a fetch that leaves nobody out."""
ROUND_MS: Final = 1000
"""After so long the client looks whether a fetch is to be made, where nothing has told it: an answer, a record that was
taken, a seek and a resume all do."""

# The client sends one fetch at a time, for the partitions of which it holds no records, and lets it wait as long as
# the one number says that it was made with. A partition that was emptied meanwhile is not in that fetch: what comes to
# it lies unread until the next one, so that number has to be small, and idle readers ask Kafka ten times a second.
# But where the fetch is for all that we read, any record ends it. The client has no option for that; it reads the
# number anew for each request.


def ask_seldom(kafka: AIOKafkaConsumer, prompt_ms: int) -> None:
    """From now on a fetch waits for `prompt_ms` where a partition is left out of it, or one has just moved on; twice as
    long each time that nothing came, up to LONGEST_MS. `kafka` is started. Raises AttributeError for a client that is
    not made as ours is."""
    fetcher = kafka._fetcher
    fetcher._get_actions_per_node = _Fetching(fetcher, prompt_ms).actions


class _Fetching:
    def __init__(self, fetcher: Any, prompt_ms: int) -> None:
        self._fetcher = fetcher
        self._prompt_ms = prompt_ms
        self._read: dict[TopicPartition, int] = {}
        self._actions: Callable[[Any], Any] = fetcher._get_actions_per_node

    def actions(self, assignment: Any) -> Any:
        """What the client's own method answers, with a request that waits as long as it may."""
        read, before = self._whole(assignment), self._fetcher._fetch_max_wait_ms
        longer = read and read == self._read
        self._fetcher._fetch_max_wait_ms = min(before * 2, LONGEST_MS) if longer else self._prompt_ms
        actions = self._actions(assignment)
        if actions[0]:
            self._read = read
        else:  # no request was made: the next one waits as this one would have
            self._fetcher._fetch_max_wait_ms = before
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
