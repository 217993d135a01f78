"""What one generation of the group gave us, and how far we are in it; positions die with the generation."""

from collections.abc import Collection, Mapping, Sequence

from aiokafka import ConsumerRecord, TopicPartition

from kit.bus.placement import First, Start, first
from kit.bus.record import Position, instant
from kit.clock import monotonic


class Assignment:
    """The partitions we hold. Nothing is read from them before each one is placed (P9)."""

    def __init__(self, partitions: frozenset[TopicPartition], lanes: Sequence[frozenset[str]]) -> None:
        self.partitions = partitions
        self.lanes = [tuple(place for place in partitions if place.topic in lane) for lane in lanes]
        self.topics = {place.topic for place in partitions}
        self.since = monotonic()
        self.placed = False
        self._next: dict[TopicPartition, int] = {}
        self._expected: dict[TopicPartition, int] = {}
        self._finished: dict[TopicPartition, Position] = {}
        self._done: dict[TopicPartition, Position] = {}

    def of(self, topics: Collection[str]) -> list[TopicPartition]:
        """Our partitions of these topics."""
        return [place for place in self.partitions if place.topic in topics]

    def begin(self, place: TopicPartition, start: Start) -> None:
        """From here on, `place` is read as `start` says."""
        self._next[place] = start.offset
        self._expected.pop(place, None)
        self._finished.pop(place, None)
        self._done.pop(place, None)
        if start.expected is not None:
            self._expected[place] = start.expected

    def arrived(self, place: TopicPartition, records: Sequence[ConsumerRecord]) -> First:
        """Takes note of what came from `place`, and says what its first record means. ELSEWHERE: none of it counts."""
        head = records[0]
        meaning = first(self._next[place], self._expected.pop(place, None), head.offset, head.timestamp)
        if meaning is First.RESET:
            self._finished.pop(place, None)
            self._done.pop(place, None)
        if meaning is First.DONE:
            self._done[place] = head.offset + 1, instant(head.timestamp)
        if meaning is not First.ELSEWHERE:
            self._next[place] = records[-1].offset + 1
        return meaning

    def position(self, place: TopicPartition) -> int:
        """The offset that is read next."""
        return self._next.get(place, 0)

    def back(self, place: TopicPartition, offset: int) -> bool:
        """To be read again from `offset`; False where that means nothing (not ours any more, or nothing came yet)."""
        if place in self._expected or offset >= self._next.get(place, 0):
            return False
        self._next[place] = offset
        return True

    def finish(self, place: TopicPartition, position: Position) -> None:
        """Everything before `position` is done with. Ignored for what this generation has not read."""
        if position[0] <= self._next.get(place, 0):
            self._finished[place] = self._done[place] = position

    def passed_over(self, place: TopicPartition, position: int) -> None:
        """The client reads on at `position`: where all before is done with, what stood there were no records, but the
        marks of a producer's transactions, or what compaction has left of some. Nobody will ever finish them."""
        done, reached = self._done.get(place), self._next.get(place, 0)
        if done and done[0] == reached < position:
            self._next[place] = position
            self.finish(place, (position, done[1]))

    @property
    def finished(self) -> Mapping[TopicPartition, Position]:
        """What waits to be committed."""
        return dict(self._finished)

    def committed(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Kafka has them; what was finished meanwhile goes on waiting."""
        for place, position in positions.items():
            if self._finished.get(place) == position:
                del self._finished[place]
