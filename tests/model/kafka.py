"""Kafka: logs, groups that rebalance, offsets that carry a time, and topics that are made anew (P9)."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.model.instance import Instance
from tests.model.parameters import PARTITIONS
from tests.model.tables import Record

Partition = tuple[str, int]
Member = tuple[str, int]
"""An instance in one of its lives."""


@dataclass(slots=True, eq=False)
class Group:
    """Its members share its partitions; a commit of an older generation is refused."""

    partitions: list[Partition]
    members: list[Member] = field(default_factory=list)
    assigned: dict[Partition, Member] = field(default_factory=dict)
    generation: int = 0

    @property
    def topics(self) -> set[str]:
        return {topic for topic, _ in self.partitions}


class Message(NamedTuple):
    """A record where it was read."""

    partition: Partition
    offset: int
    record: Record


class Kafka:
    """The cluster; `on` says whether a rule holds in this world."""

    def __init__(self, dice: random.Random, on: Callable[[str], bool]) -> None:
        self.dice = dice
        self.on = on
        self.logs: defaultdict[Partition, list[Record]] = defaultdict(list)
        self.epochs: Counter[str] = Counter()
        self.groups: dict[str, Group] = {}
        self.committed: dict[tuple[str, Partition], tuple[int, float]] = {}
        """Offset, and in the metadata the time of the record before it."""
        self.lost: dict[str, int] = {}
        """When a topic last lost its data."""

    def partition(self, topic: str, id: int) -> Partition:
        return topic, id % PARTITIONS

    def append(self, topic: str, record: Record, now: int) -> None:
        """Its LogAppendTime tells a topic from the one that had its name before."""
        ts = now + self.epochs[topic] / 1000
        self.logs[self.partition(topic, record["id"])].append({**record, "ts": ts})

    def lose(self, topic: str, now: int) -> None:
        """Its data is lost, and it is made anew: offsets begin at 0; what was committed may outlive it."""
        commits_stay = self.dice.random() < 0.5
        for number in range(PARTITIONS):
            self.logs[topic, number] = []
            if not commits_stay:
                for key in [key for key in self.committed if key[1] == (topic, number)]:
                    del self.committed[key]
        self.epochs[topic] += 1
        self.lost[topic] = now
        for name, group in self.groups.items():
            if topic in group.topics and self.dice.random() < 0.7:  # it notices by its metadata
                self.rebalance(name)

    def rebalance(self, name: str) -> None:
        group = self.groups[name]
        group.generation += 1
        members = group.members
        group.assigned = {one: self.dice.choice(members) for one in group.partitions} if members else {}

    def leave(self, name: str, instance: Instance) -> None:
        """Its session is over; the others take over."""
        group = self.groups[name]
        group.members = [member for member in group.members if member[0] != instance.name]
        self.rebalance(name)

    def position(self, name: str, partition: Partition) -> int:
        return self.committed.get((name, partition), (0, 0.0))[0]

    def unread(self, name: str, partition: Partition) -> list[Record]:
        """What is there and not committed by this group."""
        return self.logs[partition][self.position(name, partition) :]

    def has_no_lag(self, name: str, topics: Iterable[str]) -> bool:
        return all(
            self.position(name, (topic, number)) >= len(self.logs[topic, number])
            for topic in topics
            for number in range(PARTITIONS)
        )

    def served(self, name: str, topics: Sequence[str], now: int) -> float:
        """P3.9: the time in the metadata of the group's commit, now without lag; the minimum over the partitions."""
        until: float = now
        for topic in topics:
            for number in range(PARTITIONS):
                offset, ts = self.committed.get((name, (topic, number)), (0, -1))
                if offset < len(self.logs[topic, number]):
                    until = min(until, ts)
        return until


class Consumer:
    """One instance's reader in a group; `anew` names the topics that it found to be others than before."""

    def __init__(self, kafka: Kafka, instance: Instance, name: str, topics: Sequence[str]) -> None:
        self.kafka = kafka
        self.instance = instance
        self.name = name
        self.member = (instance.name, instance.life)
        self.positions: dict[Partition, int] = {}
        self.epochs: dict[Partition, int] = {}
        self.generation = -1
        self.anew: set[str] = set()
        partitions = [(topic, number) for topic in topics for number in range(PARTITIONS)]
        self.group = kafka.groups.setdefault(name, Group(partitions))
        self._join()

    def sync(self) -> bool:
        """True when a rebalance has thrown our positions away (it is eager: all of them)."""
        self._join()
        if self.generation == self.group.generation:
            return False
        self.generation, self.positions = self.group.generation, {}
        return True

    def poll(self, at_most: int, passing_over: Collection[str] = ()) -> list[Message]:
        self.sync()
        found: list[Message] = []
        ours = [one for one, to in self.group.assigned.items() if to == self.member and one[0] not in passing_over]
        self.kafka.dice.shuffle(ours)
        for partition in ours:
            if self.epochs.get(partition) != self.kafka.epochs[partition[0]]:
                self._meet_epoch(partition)
            log, position = self.kafka.logs[partition], self.positions.get(partition)
            if position is None:
                position = self._first(partition, len(log))
            if position is None:
                continue
            while position < len(log) and len(found) < at_most:
                found.append(Message(partition, position, log[position]))
                position += 1
            self.positions[partition] = position
        return found

    def back(self, batch: Sequence[Message]) -> None:
        """What was read and not done is read again."""
        for partition, offset, _ in batch:
            if partition in self.positions:
                self.positions[partition] = min(self.positions[partition], offset)

    def commit(self, partition: Partition, offset: int, ts: float) -> None:
        """Refused, without a word, to a member of an older generation."""
        group = self.group
        if self.generation == group.generation and group.assigned.get(partition) == self.member:
            self.kafka.committed[self.name, partition] = offset, ts

    def commit_past(self, batch: Sequence[Message]) -> None:
        for partition, offset, record in batch:
            self.commit(partition, offset + 1, record["ts"])

    def _join(self) -> None:
        if self.member not in self.group.members:
            self.group.members.append(self.member)
            self.instance.groups.add(self.name)
            self.kafka.rebalance(self.name)

    def _meet_epoch(self, partition: Partition) -> None:
        """While we run, a topic that is made anew is empty: our position is out of range at once."""
        if partition in self.epochs and self.positions.get(partition):
            self.positions[partition] = 0
            self.anew.add(partition[0])
        self.epochs[partition] = self.kafka.epochs[partition[0]]

    def _first(self, partition: Partition, end: int) -> int | None:
        """P9, at assignment: look at the log's end, then at the last committed record. None: nothing comes yet."""
        offset, ts = self.kafka.committed.get((self.name, partition), (0, 0.0))
        if not offset:
            return 0
        if not self.kafka.on("meta"):
            return offset if offset <= end else 0
        if offset <= end and self.kafka.logs[partition][offset - 1]["ts"] == ts:
            return offset  # the same record: it is dropped, and on we go
        if offset == end + 1 and not self.kafka.on("end_offset"):
            return None  # a position at the end of a new topic is not out of range
        self.anew.add(partition[0])
        return 0
