"""Whatever happens to a deadline, in any order: each reminder once, none early, and of what is over nothing is left."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts import events as e
from contracts.plan import DEFAULT, MISSED, Plan
from kit.deadline_plan import DueDate, first
from services.scheduler.rules import deadlines as rules
from services.scheduler.rules import reminding
from services.scheduler.rules.deadlines import State, Watch
from services.scheduler.rules.reminding import Case

BEGIN = datetime(2027, 3, 20, 9, 30, tzinfo=UTC)
PEOPLE = ("ann", "bob")
ZONES = ("Europe/Paris", "America/New_York", "Asia/Tokyo")
SOONER = Plan.model_validate(
    {"reminders": [{"rule": "soon", "days": -2, "at": "12:00"}, {"rule": "late", "after_seconds": 0}]}
)
PLANS = {"default": DEFAULT, "sooner": SOONER}
HOUR = timedelta(hours=1)

Word = tuple[str, datetime, tuple[str, ...]]
"""Rule, instant, and what was missed."""


@dataclass
class Seat:
    """What the model knows of one person in one epoch."""

    since: datetime
    said: set[str] = field(default_factory=set)
    spoke: bool = False


class Model:
    """Says at once what is to be said whenever time passes or something changes; knows no rows and no next instant."""

    def __init__(self) -> None:
        self.day = date(2027, 4, 1)
        self.open = True
        self.urgent_since: datetime | None = None
        self.plan = "default"
        self.zones = dict.fromkeys(PEOPLE, ZONES[0])
        self.seats: dict[str, Seat] = {}
        self.words: dict[str, list[Word]] = {person: [] for person in PEOPLE}

    def due(self, person: str) -> DueDate:
        return DueDate(None, self.day, ZoneInfo(self.zones[person]), self.urgent_since is not None)

    def say(self, person: str, word: Word) -> None:
        self.words[person].append(word)
        self.seats[person].spoke = True

    def change(self, now: datetime, *people: str) -> None:
        """What had not been said and lies behind now was missed."""
        for person in people:
            seat = self.seats[person]
            seat.since = now
            passed = self.passed(person, datetime.min.replace(tzinfo=UTC), now)
            if passed:
                seat.said.update(name for name, _ in passed)
                self.say(person, (MISSED, now, tuple(name for name, _ in passed)))

    def advance(self, before: datetime, now: datetime) -> None:
        """What lies between then and now, in its order."""
        for person, seat in self.seats.items():
            passed = self.passed(person, before, now)
            seat.said.update(name for name, _ in passed)
            words = [(name, at, ()) for name, at in passed]
            hour = now.replace(minute=0, second=0, microsecond=0)
            if self.plan == "default" and self.urgent_since and hour > max(before, seat.since, self.urgent_since):
                words.append(("urgent", hour, ()))
            for word in sorted(words, key=lambda word: word[1]):
                self.say(person, word)

    def passed(self, person: str, after: datetime, until: datetime) -> list[tuple[str, datetime]]:
        found = []
        for one in PLANS[self.plan].reminders:
            at = None if one.repeats else first(one, self.due(person))
            if at and after < at <= until and one.rule not in self.seats[person].said:
                found.append((one.rule, at))
        return sorted(found, key=lambda one: one[1])


class Anything(RuleBasedStateMachine):
    """A deadline that is moved, closed, reopened, deleted, handed over; people who move; days that pass."""

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGIN
        self.offset = 0
        self.state = State()
        self.model = Model()
        self.heard: dict[str, list[Word]] = {person: [] for person in PEOPLE}
        self.ids: list[object] = []
        self.groups: dict[str, str] = {}
        self.looks = 0

    # ------------------------------------------------------------------------------------------------ what happens

    @initialize(people=st.sets(st.sampled_from(PEOPLE), min_size=1), in_days=st.integers(-5, 20))
    def created(self, people: set[str], in_days: int) -> None:
        self.model.day = BEGIN.date() + timedelta(days=in_days)
        self.hears(people)
        self.begin(people)

    @rule(hours=st.sampled_from([0.4, 1, 3, 20, 24, 70, 300]))
    def time_passes(self, hours: float) -> None:
        before, self.now = self.now, self.now + timedelta(hours=hours)
        self.model.advance(before, self.now)

    @rule()
    def it_is_a_second_before_the_next_word(self) -> None:
        """So that whatever is looked at then, because something changes, is looked at a second too early."""
        coming = [watch.next_at for watch in self.state.watches.values() if watch.next_at]
        if coming and (then := min(coming) - timedelta(seconds=1)) > self.now:
            before, self.now = self.now, then
            self.model.advance(before, then)

    @rule(days=st.integers(-20, 20))
    def is_moved(self, days: int) -> None:
        """And perhaps back again, by the next move: that is a new beginning, too."""
        if days and self.model.open:
            people = set(self.model.seats)
            self.model.day += timedelta(days=days)
            self.hears(people)
            self.begin(people)

    @rule(day=st.sampled_from([date(2027, 3, 29), date(2027, 4, 1)]))
    def is_moved_there_and_back(self, day: date) -> None:
        if self.model.open:
            people, was = set(self.model.seats), self.model.day
            for there in (day, was):
                self.model.day = there
                self.hears(people)
            if day != was:  # before anybody fires: nothing is said of the day in between
                self.begin(people)

    @rule()
    def is_closed_or_reopened(self) -> None:
        people = self.people()
        self.model.open = not self.model.open
        self.hears(people)
        self.model.seats = {}
        if self.model.open:
            self.begin(people)

    @rule(people=st.sets(st.sampled_from(PEOPLE), min_size=1))
    def is_handed_over(self, people: set[str]) -> None:
        if self.model.open:
            come = people - self.model.seats.keys()
            self.hears(people)
            self.model.seats = {person: seat for person, seat in self.model.seats.items() if person in people}
            self.begin(come)

    @rule(urgent=st.booleans())
    def is_urgent_or_not(self, urgent: bool) -> None:
        if urgent != (self.model.urgent_since is not None):
            self.model.urgent_since = self.now if urgent else None
            self.hears(self.people())

    @rule(plan=st.sampled_from(sorted(PLANS)))
    def goes_by_another_plan(self, plan: str) -> None:
        if plan != self.model.plan:
            self.model.plan = plan
            self.hears(self.people())
            self.model.change(self.now, *self.model.seats)

    @rule(person=st.sampled_from(PEOPLE), zone=st.sampled_from(ZONES))
    def somebody_moves(self, person: str, zone: str) -> None:
        if self.model.zones[person] != zone:
            self.model.zones[person] = zone
            if person in self.state.watches:
                watches = dict(self.state.watches)
                watches[person] = rules.changed(watches[person], self.now)
                self.state = State(self.state.tracked, watches, self.state.ended)
                self.model.change(self.now, person)

    @rule()
    def the_same_is_said_again(self) -> None:
        """By a program that says everything every night: nothing changes."""
        before = self.state.watches
        self.hears(self.people())
        assert self.state.watches == before

    @rule()
    def an_older_word_comes_late(self) -> None:
        before = self.state
        self.state = rules.after(self.state, self.event(set(PEOPLE), "open"), (BEGIN, -1), self.now)
        assert self.state is before

    # ------------------------------------------------------------------------------------------------ how it is done

    def people(self) -> set[str]:
        return set(self.state.tracked.assignees) if self.state.tracked else set(PEOPLE)

    def event(self, people: set[str], status: str) -> e.Deadline:
        return e.Deadline.model_validate(
            {
                "id": "118",
                "title": "Dossier 118",
                "due_date": self.model.day.isoformat(),
                "assignees": sorted(people),
                "urgent": self.model.urgent_since is not None,
                "status": status,
                "plan": self.model.plan,
            }
        )

    def hears(self, people: set[str]) -> None:
        self.offset += 1
        event = self.event(people, "open" if self.model.open else "closed")
        self.state = rules.after(self.state, event, (BEGIN, self.offset), self.now)

    def begin(self, people: set[str]) -> None:
        for person in people:
            self.model.seats[person] = Seat(self.now)
        self.model.change(self.now, *sorted(people))

    def fire(self) -> None:
        """What a firing does: looks at nothing whose instant has not come."""
        for person, watch in self.state.watches.items():
            while watch.next_at is not None and watch.next_at <= self.now:
                watch = self.look(person, watch)
            self.state = State(self.state.tracked, {**self.state.watches, person: watch}, self.state.ended)

    def look(self, person: str, watch: Watch) -> Watch:
        assert self.state.tracked is not None
        zone = ZoneInfo(self.model.zones[person])
        case = Case(watch, self.state.tracked, PLANS[watch.plan], zone)
        said, then = reminding.look(case, self.now)
        again, _ = reminding.look(case, self.now)
        assert said == again
        self.looks += 1
        for one in said:
            self.heard[person].append((one.rule, one.at, one.missed))
            self.ids.append(reminding.requested(case, one, self.now).id)
            self.groups[watch.group] = person
            assert one.at <= self.now, "early"
        return then

    @invariant()
    def p4_4_each_once_and_none_early(self) -> None:
        """P4.4: what was said is what the model says, word for word."""
        if self.state.tracked is None:
            return
        self.fire()
        assert self.heard == self.model.words
        assert len(set(self.ids)) == len(self.ids)

    @invariant()
    def p4_4_what_is_over_is_cancelled_for_ever(self) -> None:
        """P4.4: every group that may have members is ended, but for those of the reminders that are there."""
        alive = {watch.group for watch in self.state.watches.values()}
        ended = {one.group for one in self.state.ended}
        assert self.groups.keys() - ended <= alive
        assert not ended & alive


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=60, stateful_step_count=25)


def test_p4_4_moved_into_the_past_says_once_what_was_missed() -> None:
    """P4.4: five reminders of a plan are one word."""
    machine = Anything()
    machine.created({"bob"}, 30)
    machine.p4_4_each_once_and_none_early()
    machine.is_moved(-40)
    machine.p4_4_each_once_and_none_early()
    [(word, at, missed)] = machine.heard["bob"]
    assert (word, at) == (MISSED, BEGIN)
    assert missed == ("week_before", "day_before", "same_day", "late", "critical")


def test_p4_4_what_is_looked_at_a_second_before_is_not_said() -> None:
    """P4.4: urgency changes at 7:59:59; what is said at eight comes at eight."""
    machine = Anything()
    machine.created({"bob"}, 30)
    machine.p4_4_each_once_and_none_early()
    machine.it_is_a_second_before_the_next_word()
    machine.is_urgent_or_not(True)
    machine.p4_4_each_once_and_none_early()
    assert machine.heard["bob"] == []
    machine.time_passes(1 / 3600)
    machine.p4_4_each_once_and_none_early()
    assert [word for word, _, _ in machine.heard["bob"]] == ["week_before", "urgent"]


def test_p4_4_who_comes_back_is_told_again() -> None:
    """P4.4: the group of the time before is cancelled for ever; a new epoch has a group of its own."""
    machine = Anything()
    machine.created({"ann", "bob"}, 3)
    machine.p4_4_each_once_and_none_early()
    machine.is_handed_over({"ann"})
    machine.is_handed_over({"ann", "bob"})
    machine.p4_4_each_once_and_none_early()
    assert len(machine.heard["bob"]) == 2 and len(machine.heard["ann"]) == 1
    machine.p4_4_what_is_over_is_cancelled_for_ever()


def test_p4_4_a_deleted_one_keeps_its_epoch() -> None:
    """P4.4: the same id made anew has other groups than the ones that were cancelled for ever."""
    told = e.Deadline(id="118", title="x", due_date="2027-03-01", assignees=("bob",))
    state = rules.after(State(), told, (BEGIN, 1), BEGIN)
    gone = rules.after(state, e.Tombstone(path="118"), (BEGIN, 2), BEGIN)
    anew = rules.after(gone, told, (BEGIN, 3), BEGIN)
    assert not gone.watches and [one.reason for one in gone.ended] == ["deadline_deleted"]
    assert anew.watches["bob"].group not in {one.group for one in anew.ended}
