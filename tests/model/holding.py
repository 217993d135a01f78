"""A deterministic simulator of what is held (P3.1, P3.8): hours, caps and digests of one person, judged by two intakes.

One seed = one world = one order of steps, as in world.py. Every `yield n` of a loop is n ticks in which others go on.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Final, Literal

RULES: Final = {
    "locked": "P3.1 the counts of a recipient are one row, locked",
    "repeat": "P3.1 a repeat changes nothing, and counts nothing",
    "taken": "P3.1 a place is taken in the transaction that promises it",
    "promise": "P3.1 who was promised a place has it in its hour",
    "within_hours": "P3.1 the first free place within the allowed hours",
    "asked_again": "P3.1 hours are asked when it could be sent",
    "urgent": "P3.1 urgent passes hours and caps",
    "round": "P3.2 ripe re-opens only what waits at that round",
    "digest_waits": "P3.8 a digest that cannot be sent yet is not made",
    "gathered": "P3.8 the first member that is ripe makes the digest, the others are in it",
}
HOUR, CAP, WINDOW = 20, 2, 60
BUSY, END = 300, 2000
"""Until then something comes and breaks; until then the world goes on."""
SOON: Final = 25

Steps = Generator[int, None, None]
Event = tuple[Literal["request", "ripe", "cancel"], int, int]


class Broken(Exception):
    """A rule does not hold; says which promise fell."""


@dataclass
class Row:
    """One notification. `promised` is the hour in which it has a place."""

    id: int
    urgent: bool = False
    gathered: bool = False
    state: Literal["new", "waiting", "sent", "cancelled", "merged"] = "new"
    round: int = 1
    planned: int = 0
    promised: int | None = None
    first_judged: int = 0
    sent_at: int | None = None
    cancelled_at: int | None = None


@dataclass
class Digest(Row):
    """What stands for several."""

    members: tuple[int, ...] = ()


@dataclass
class World:
    """Everything there is; `off` names the rule that is left out."""

    seed: int
    off: frozenset[str] = frozenset()
    now: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    digests: list[Digest] = field(default_factory=list)
    used: Counter[int] = field(default_factory=Counter)
    promises: list[int] = field(default_factory=list)
    timers: list[tuple[int, Event]] = field(default_factory=list)
    lane: list[Event] = field(default_factory=list)
    locked: bool = False
    quiet_hour: int = 3
    quiet_changed: bool = False
    disturbed: bool = False

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self._moods = self.dice.random() < 0.3
        self._steps: list[tuple[int, float, Steps]] = []

    def on(self, rule: str) -> bool:
        assert rule in RULES
        return rule not in self.off

    def run(self) -> None:
        loops: list[Callable[[], Steps]] = [self._client, self._person, self._clock, self._intake, self._intake]
        for loop in loops:
            heapq.heappush(self._steps, (0, self.dice.random(), loop()))
        while self._steps and self.now < END:
            self.now, _, steps = heapq.heappop(self._steps)
            pause = next(steps, None)
            if pause is not None:
                heapq.heappush(self._steps, (self.now + pause, self.dice.random(), steps))
        self._judge()

    # ------------------------------------------------------------------------------------------------ the parts

    def _client(self) -> Steps:
        """Asks, repeats itself, changes its mind."""
        id = 0
        while self.now < BUSY:
            id += 1
            self.rows[id] = Row(id, urgent=self.dice.random() < 0.2, gathered=self.dice.random() < 0.3)
            self.lane += [("request", id, 1)] * self.dice.choice((1, 1, 2))
            if self.dice.random() < 0.3:
                self.timers.append((self.now + self.dice.randint(5, 120), ("cancel", id, 0)))
            yield self.dice.randint(1, 12)

    def _person(self) -> Steps:
        while self._moods and self.now < BUSY:
            yield self.dice.randint(40, 150)
            self.quiet_hour, self.quiet_changed = self.dice.randint(0, 3), True

    def _clock(self) -> Steps:
        """The scheduler: says what is ripe, sometimes twice."""
        while True:
            due = [timer for timer in self.timers if timer[0] <= self.now]
            self.timers = [timer for timer in self.timers if timer[0] > self.now]
            self.lane += [event for _, event in due for _ in range(self.dice.choice((1, 1, 2)))]
            late = [(self.now + self.dice.randint(1, 90), event) for _, event in due if self.dice.random() < 0.2]
            self.timers += [(at, event) for at, event in late if event[0] == "ripe"]
            yield 1

    def _intake(self) -> Steps:
        """A transaction for each event: the rows and the counts are locked; killed before it publishes, it repeats."""
        while True:
            if self.locked or not self.lane:
                yield self.dice.randint(1, 2)
                continue
            event = self.lane.pop(0)
            used = Counter(self.used)
            self.locked = self.on("locked")
            yield self.dice.randint(0, 2)
            self._hear(event, self.used if self.on("locked") else used)
            if not self.on("locked"):
                self.used = used
            self.locked = False
            if self.now < BUSY and self.dice.random() < 0.1:
                self.lane.append(event)
            yield self.dice.randint(0, 1)

    # ------------------------------------------------------------------------------------------------ the rules

    def _hear(self, event: Event, used: Counter[int]) -> None:
        kind, id, round = event
        row = self.rows[id]
        if kind == "cancel":
            row.cancelled_at = row.cancelled_at or self.now
            row.state = "cancelled" if row.state in ("new", "waiting") else row.state
        elif kind == "request" and (row.state == "new" or (row.state == "waiting" and not self.on("repeat"))):
            self._begin(row, used)
        elif kind == "ripe" and row.state == "waiting" and (row.round == round or not self.on("round")):
            self._ripe(row, used)

    def _begin(self, row: Row, used: Counter[int]) -> None:
        if row.gathered and not row.urgent:
            self._wait(row, (self.now // WINDOW + 1) * WINDOW)
        else:
            self._verdict(row, used)

    def _ripe(self, row: Row, used: Counter[int]) -> None:
        if not row.gathered:
            return self._verdict(row, used)
        members = [
            one for one in self.rows.values() if one.gathered and one.state == "waiting" and one.planned <= self.now
        ]
        if not self.on("gathered"):
            members = [one for one in self.rows.values() if one.gathered and one.planned <= self.now]
        digest = Digest(-len(self.digests), planned=row.planned, promised=row.promised)
        digest.members = tuple(one.id for one in members)
        at = self._place(digest, used)
        if at > self.now and self.on("digest_waits"):
            for one in members:
                one.round += 1
                one.promised = digest.promised
                self._wait(one, at)
            return None
        for one in members:
            one.state = "merged"
        digest.sent_at = at
        self.digests.append(digest)
        return None

    def _verdict(self, row: Row, used: Counter[int]) -> None:
        row.first_judged = row.first_judged or self.now + 1
        at = self._place(row, used)
        if at > self.now:
            row.round += row.state == "waiting"
            self._wait(row, at)
        else:
            row.state, row.sent_at = "sent", self.now
            self.disturbed = self.disturbed or (not row.urgent and self._is_quiet(self.now))

    def _place(self, row: Row, used: Counter[int]) -> int:
        """When it goes; the place is taken."""
        if row.urgent and self.on("urgent"):
            used[self.now // HOUR] += 1
            return self.now
        promised = row.promised == self.now // HOUR and self.on("promise")
        if promised and not self.on("asked_again"):
            return self.now
        at = self._opening(self.now)
        if at > self.now or promised:
            return at
        if used[at // HOUR] >= CAP:
            at = self._first_free(at // HOUR + 1, used) * HOUR
            row.promised = at // HOUR
            self.promises.append(row.promised)
        if self.on("taken") or at == self.now:
            used[at // HOUR] += 1
        return at

    def _opening(self, at: int) -> int:
        while self._is_quiet(at):
            at = (at // HOUR + 1) * HOUR
        return at

    def _first_free(self, hour: int, used: Counter[int]) -> int:
        while used[hour] >= CAP or (self._is_quiet(hour * HOUR) and self.on("within_hours")):
            hour += 1
        return hour

    def _is_quiet(self, at: int) -> bool:
        return at // HOUR % 4 == self.quiet_hour

    def _wait(self, row: Row, at: int) -> None:
        row.state, row.planned = "waiting", at
        self.timers.append((at, ("ripe", row.id, row.round)))

    # ------------------------------------------------------------------------------------------------ the judge

    def _judge(self) -> None:
        sent = [row for row in self.rows.values() if row.sent_at is not None]
        if any(row.state in ("new", "waiting") for row in self.rows.values()):
            raise Broken("something waits for ever")
        slow = [row for row in sent if row.urgent and row.sent_at and row.first_judged + SOON < row.sent_at]
        if slow:
            raise Broken("something urgent waited")
        quietly = [row for row in (*sent, *self.digests) if not row.urgent]
        hours = Counter(row.sent_at // HOUR for row in quietly if row.sent_at is not None)
        if max(hours.values(), default=0) > CAP:
            raise Broken("more than the cap in an hour")
        if any(row.sent_at is not None and row.sent_at < row.planned for row in sent):
            raise Broken("something went before its time")
        self._digests_are_right()
        if self.disturbed:
            raise Broken("something was sent in quiet hours")
        if not self.quiet_changed:
            self._places_were_kept()

    def _digests_are_right(self) -> None:
        told = Counter(id for digest in self.digests for id in digest.members)
        if max(told.values(), default=0) > 1:
            raise Broken("somebody is in two digests")
        for digest in self.digests:
            ends = [self.rows[id].cancelled_at for id in digest.members]
            if any(end is not None and end + SOON < (digest.sent_at or 0) for end in ends):
                raise Broken("what was cancelled long before is in a digest")

    def _places_were_kept(self) -> None:
        """Where the person never changed his quiet hours: each was counted once, and nobody who waits was overtaken."""
        counted = [row for row in self.rows.values() if row.sent_at is not None or row.promised is not None]
        if sum(self.used.values()) > len(counted) + len(self.digests):
            raise Broken("one was counted twice")
        if self.promises != sorted(self.promises):
            raise Broken("who waits was overtaken")


def one(seed: int, off: frozenset[str] = frozenset()) -> str | None:
    """What breaks in this world; None: nothing."""
    try:
        World(seed, off).run()
    except Broken as broken:
        return str(broken)
    return None
