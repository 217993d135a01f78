"""A deterministic simulator of deadlines (P4.4): a date that moves, people who come and go, schedulers that die.

One seed = one world = one order of steps, as in world.py. Every `yield n` of a loop is n ticks in which others go on.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Final

RULES: Final = {
    "newest": "P4.4 what is not newer changes nothing",
    "epoch": "P4.4 a changed date, a closing and a reopening raise the epoch",
    "epoch_grows": "P4.4 epochs only grow, past a deletion too",
    "ends_group": "P4.4 the groups of epochs that are over are cancelled",
    "ends_broken": "P4.4 also of one of which a firing broke off",
    "own_group": "P4.4 a person taken off ends that person's group alone",
    "same_id": "P4.4 a reminder's id is made of deadline, epoch, rule, person and instant",
    "not_before": "P4.4 no reminder for an instant before the change, but one that names what was missed",
    "said_first": "P4.2 a firing commits when Kafka has it",
    "remembers": "P3.4 a member that comes after the cancel of its group ends cancelled",
    "hears_first": "P4.5 who was away hears first what was said meanwhile, and fires then",
}
PLAN: Final = {"before": -30, "day": -8, "late": 0}
PEOPLE: Final = ("ann", "bob")
BUSY, END = 300, 900
"""Until then things change and break; until then the world goes on."""
SOON: Final = 40
"""Ticks after which a cancel has reached everybody; what is held back waits longer."""
HEARD: Final = 30
"""Ticks after which a word has been heard by whoever is there."""

Steps = Generator[int, None, None]


class Broken(Exception):
    """A rule does not hold; says which promise fell."""


class Died(Exception):
    """A scheduler was killed: its transaction is rolled back."""


@dataclass(frozen=True)
class Word:
    """One state of the deadline, as its topic has it. `date` None: it was deleted."""

    at: int
    date: int | None = None
    people: tuple[str, ...] = ()
    is_open: bool = True


@dataclass(frozen=True)
class Watch:
    """A person's reminders in one epoch."""

    epoch: int
    changed_at: int
    next_at: int | None
    said: tuple[str, ...] = ()
    failing: bool = False


@dataclass
class Notification:
    """What a reminder became at intake."""

    person: str
    epoch: int
    rule: str
    instant: int
    goes_at: int
    sent_at: int | None = None
    ended: bool = False


@dataclass
class World:
    """Everything there is; `off` names the rule that is left out."""

    seed: int
    off: frozenset[str] = frozenset()
    now: int = 0
    said: list[Word] = field(default_factory=list)
    committed: int = 0
    word: Word | None = None
    epoch: int = 0
    watches: dict[str, Watch] = field(default_factory=dict)
    ends: list[str] = field(default_factory=list)
    over: dict[tuple[str, int], int] = field(default_factory=dict)
    lanes: dict[str, list[tuple[object, ...]]] = field(default_factory=lambda: {"urgent": [], "normal": []})
    cancelled: set[str] = field(default_factory=set)
    rows: dict[object, Notification] = field(default_factory=dict)
    locked: bool = False
    back_at: int = 0
    """Until then all schedulers are away: nobody hears, and nobody fires."""

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self._steps: list[tuple[int, float, Callable[[], Steps], Steps]] = []

    def on(self, rule: str) -> bool:
        assert rule in RULES
        return rule not in self.off

    def run(self) -> None:
        loops: list[Callable[[], Steps]] = [self._client, self._follow, self._intake, self._sender]
        for loop in (*loops, self._fire, self._fire, self._outages):
            heapq.heappush(self._steps, (0, self.dice.random(), loop, loop()))
        while self._steps and self.now < END:
            self.now, _, loop, steps = heapq.heappop(self._steps)
            try:
                pause = next(steps)
            except StopIteration:
                continue
            except Died:
                pause, steps = self.dice.randint(2, 15), loop()
            heapq.heappush(self._steps, (self.now + pause, self.dice.random(), loop, steps))
        self._judge()

    def dies(self) -> None:
        """Perhaps, while things break; surely, when all do."""
        if self.is_away or (self.now < BUSY and self.dice.random() < 0.15):
            self.locked = False
            raise Died

    def dies_of_an_outage(self) -> None:
        """Between two firings."""
        if self.is_away:
            raise Died

    @property
    def is_away(self) -> bool:
        return self.now < self.back_at

    # ------------------------------------------------------------------------------------------------ the parts

    def _outages(self) -> Steps:
        """In some worlds nobody is there for a while."""
        yield self.dice.randint(1, 2 * BUSY)
        if self.now < BUSY:
            self.back_at = self.now + self.dice.randint(50, 150)

    def _client(self) -> Steps:
        word = Word(0, self.dice.randint(20, 200), PEOPLE)
        while self.now < BUSY:
            self.said.append(replace(word, at=self.now))
            if self.dice.random() < 0.2:  # an older state is published again, as of its own time
                self.said.append(self.dice.choice(self.said))
            yield self.dice.randint(5, 60)
            word = self._changed(word)

    def _changed(self, word: Word) -> Word:
        match self.dice.randint(0, 5):
            case 0:
                return replace(word, is_open=not word.is_open)
            case 1:
                return replace(word, people=(self.dice.choice(PEOPLE),))
            case 2:
                return replace(word, people=PEOPLE)
            case 3:
                return replace(word, date=None, is_open=True)
            case _:
                return replace(word, date=self.now + self.dice.randint(-20, 90), is_open=True)

    def _follow(self) -> Steps:
        """The scheduler's ear: one transaction for each record, which waits for a firing."""
        while True:
            if self.committed < len(self.said) and not self.locked and not self.is_away:
                self._hear(self.said[self.committed])
                self.committed += 1
            yield self.dice.randint(1, 6)

    def _hear(self, new: Word) -> None:
        old = self.word
        if old and new.at <= old.at and self.on("newest"):
            return
        self.word = new
        gone = new.date is None
        stays = not gone and new.is_open and old is not None and (old.date, old.is_open) == (new.date, new.is_open)
        if not self.on("epoch") and not gone and old is not None and old.date is not None:
            stays = new.is_open
        before = self.watches
        kept = {person: watch for person, watch in before.items() if stays and person in new.people}
        people = () if gone or not new.is_open else new.people
        if any(person not in kept for person in people):
            self.epoch = max(self.epoch + 1, new.at) if self.on("epoch_grows") else self._count_again(old)
        self.watches = {p: kept.get(p) or Watch(self.epoch, self.now, self.now) for p in people}
        if not self.on("epoch"):
            self.watches = {p: replace(watch, next_at=self.now) for p, watch in self.watches.items()}
        for person, watch in before.items():
            if person not in kept:
                self.over[person, watch.epoch] = self.now
                self._end(person, watch)

    def _count_again(self, old: Word | None) -> int:
        return 1 if old is None or old.date is None else self.epoch + 1

    def _end(self, person: str, watch: Watch) -> None:
        may_be_speaking = watch.failing or (watch.next_at is not None and watch.next_at <= self.now)
        if self.on("ends_group") and (watch.said or (may_be_speaking and self.on("ends_broken"))):
            whose = person if self.on("own_group") else ""
            self.ends.append(f"{watch.epoch}/{whose}")

    def _fire(self) -> Steps:
        """One transaction: taken, said, committed. Killed in the middle, it says the same again later."""
        while self.is_away:
            yield self.dice.randint(1, 4)
        said_by_now = len(self.said)
        while self.on("hears_first") and self.committed < said_by_now:
            self.dies_of_an_outage()
            yield self.dice.randint(1, 4)
        while True:
            self.dies_of_an_outage()
            due = [p for p, w in self.watches.items() if w.next_at is not None and w.next_at <= self.now]
            if self.locked or not (due or self.ends):
                yield self.dice.randint(1, 4)
                continue
            self.locked = True
            ends, person = list(self.ends), self.dice.choice(due) if due else None
            words, then = self._look(person) if person else ([], None)
            if not self.on("said_first"):
                self._commit(ends, person, then)
            self.dies()
            for group in ends:
                self.lanes["urgent"].append(("cancel", group))
            self.lanes["normal"] += words
            yield self.dice.randint(1, 5)
            self.dies()
            if self.on("said_first"):
                self._commit(ends, person, then)
            self.locked = False

    def _commit(self, ends: list[str], person: str | None, then: Watch | None) -> None:
        self.ends = self.ends[len(ends) :]
        if person and then:
            self.watches[person] = then

    def _look(self, person: str) -> tuple[list[tuple[object, ...]], Watch]:
        watch = self.watches[person]
        assert self.word and self.word.date is not None
        instants = {rule: self.word.date + by for rule, by in PLAN.items() if rule not in watch.said}
        due = {rule: at for rule, at in instants.items() if at <= self.now}
        missed = {rule for rule, at in due.items() if at <= watch.changed_at} if self.on("not_before") else set()
        told = [(rule, at) for rule, at in due.items() if rule not in missed]
        self._judge_words(person, [at for _, at in told])
        if missed:
            told.append(("missed", watch.changed_at))
        words = [("remind", self._id(person, watch, rule, at), person, watch.epoch, rule, at) for rule, at in told]
        coming = min((at for at in instants.values() if at > self.now), default=None)
        return list(words), replace(watch, next_at=coming, said=(*watch.said, *due))

    def _id(self, person: str, watch: Watch, rule: str, at: int) -> object:
        return (person, watch.epoch, rule, at) if self.on("same_id") else self.dice.random()

    def _intake(self) -> Steps:
        """Reads one lane or the other; within a lane the order stays."""
        while True:
            lane = self.lanes[self.dice.choice(("urgent", "normal"))]
            if lane:
                match lane.pop(0):
                    case ("cancel", str(group)):
                        self._cancel(group)
                    case ("remind", id, str(person), int(epoch), str(rule), int(at)) if id not in self.rows:
                        held = 250 if self.dice.random() < 0.3 else 0
                        row = Notification(person, epoch, rule, at, self.now + held + self.dice.randint(1, 10))
                        row.ended = self.on("remembers") and bool(self.cancelled & self._groups(row))
                        self.rows[id] = row
            yield self.dice.randint(1, 3)

    def _cancel(self, group: str) -> None:
        self.cancelled.add(group)
        for row in self.rows.values():
            if group in self._groups(row) and row.sent_at is None:
                row.ended = True

    def _groups(self, row: Notification) -> set[str]:
        return {f"{row.epoch}/{row.person}", f"{row.epoch}/"}

    def _sender(self) -> Steps:
        while True:
            for row in self.rows.values():
                if row.goes_at <= self.now and row.sent_at is None and not row.ended:
                    row.sent_at = self.now
            yield 1

    # ------------------------------------------------------------------------------------------------ the judge

    def _judge(self) -> None:
        sent = [row for row in self.rows.values() if row.sent_at is not None]
        spoken = [(row.person, row.epoch, row.rule) for row in sent]
        if len(spoken) != len(set(spoken)):
            raise Broken("a rule spoke twice to a person in one epoch")
        for row in sent:
            over = self.over.get((row.person, row.epoch))
            if row.sent_at is not None and row.sent_at < row.instant:
                raise Broken("a reminder was early")
            if over is not None and row.sent_at is not None and row.sent_at > over + SOON and row.sent_at > BUSY + SOON:
                raise Broken("something was said long after it was moved, closed or handed over")
        self._nothing_is_missing(sent)

    def _judge_words(self, person: str, instants: list[int]) -> None:
        """What had been said to be over long before its instant is not said, heard or not."""
        for at in instants:
            word = max((one for one in self.said if one.at <= at - HEARD), key=lambda one: one.at, default=None)
            assert self.word
            if word and word.at > self.word.at:
                over = not word.is_open or person not in word.people or word.date != self.word.date
                if over or word.date is None:
                    raise Broken("something was said that had been over before its instant")

    def _nothing_is_missing(self, sent: list[Notification]) -> None:
        """By the newest word alone: what was to come then came, and what had passed was named once."""
        last = max(self.said, key=lambda word: word.at)
        if self.word != last:
            raise Broken("an older word won")
        if last.date is None or not last.is_open:
            return
        for person in last.people:
            watch = self.watches[person]
            heard = sorted(row.rule for row in sent if (row.person, row.epoch) == (person, watch.epoch))
            late = [rule for rule, by in PLAN.items() if last.date + by <= watch.changed_at]
            wanted = sorted([rule for rule in PLAN if rule not in late] + (["missed"] if late else []))
            if heard != wanted:
                raise Broken(f"a reminder is missing, or one too many: {len(heard) - len(wanted):+d}")


def one(seed: int, off: frozenset[str] = frozenset()) -> str | None:
    """What breaks in this world; None: nothing."""
    try:
        World(seed, off).run()
    except Broken as broken:
        return str(broken)
    return None
