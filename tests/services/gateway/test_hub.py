"""Each listener has every step once and in order, however joins, ends, hints and full buffers fall together (P6.4)."""

from __future__ import annotations

import asyncio
import json
import random
from uuid import UUID

import pytest

from kit.clock import utc_now
from kit.metrics import Metrics
from kit.postgres import Database
from services.gateway.settings import StreamPace
from services.gateway.store.inbox import Person
from services.gateway.store.stream import Missed, Step
from services.gateway.stream.codes import Close
from services.gateway.stream.frames import Frame, News, Words
from services.gateway.stream.hints import Hints
from services.gateway.stream.hub import Hub
from services.gateway.stream.listener import Audience, Listener
from tests.waiting import eventually

WORLDS = 150
PEOPLE: list[Person] = [("default", name) for name in ("ann", "bob", "eve")]
PACE = StreamPace(page=3, steps=2, people=2, at_once=2, most_waiting=2, try_again=0.0)


class Tables(dict[Person, list[Step]]):
    """What is committed, as a database would tell it: a little later, and sometimes not at all."""

    def __init__(self, luck: random.Random) -> None:
        super().__init__((person, []) for person in PEOPLE)
        self.luck = luck

    def commit(self, person: Person) -> None:
        self[person].append(Step(len(self[person]) + 1, "read", UUID(int=1), utc_now()))


class World(Hub):
    """The hub over such tables."""

    def __init__(self, tables: Tables) -> None:
        super().__init__(None, None, PACE, Metrics())  # type: ignore[arg-type]
        self.tables = tables

    async def _missed(self, database: Database, after: dict[Person, int], most: int) -> dict[Person, Missed]:
        await dawdle(self.tables.luck)
        if self.tables.luck.random() < 0.05:
            raise ConnectionResetError
        steps = {person: self.tables[person][at : at + most] for person, at in after.items()}
        found = {person: Missed(some, len(self.tables[person])) for person, some in steps.items()}
        await dawdle(self.tables.luck)
        return {person: missed for person, missed in found.items() if missed.steps}


class Wire:
    """Takes what is written at its own pace."""

    def __init__(self, luck: random.Random) -> None:
        self.luck = luck
        self.backlog = 0
        self.offsets: list[int] = []
        self.unread = 0
        self.ended: Close | None = None

    def write(self, words: Words) -> None:
        for one in words.frames:
            self._heard(one)

    def _heard(self, frame: Frame) -> None:
        if self.ended:
            return
        said = json.loads(frame.text)
        if frame.offset is None:
            self.unread = said["unread"]
        else:
            self.offsets.append(frame.offset)
            self.backlog += self.luck.randint(0, 2)

    async def drained(self) -> None:
        await dawdle(self.luck)
        self.backlog = 0

    def end(self, close: Close) -> None:
        self.ended = close


async def dawdle(luck: random.Random) -> None:
    """Mostly a moment, sometimes so long that much else happens meanwhile."""
    for _ in range(luck.choice((0, 1, 2, 4, 20))):
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(WORLDS))
async def test_p6_4_every_step_once_and_in_order(seed: int) -> None:
    luck = random.Random(seed)
    tables = Tables(luck)
    hub = World(tables)
    await hub.start()
    here: list[tuple[Listener, Wire, int]] = []
    for _ in range(60):
        person = luck.choice(PEOPLE)
        match luck.choice(("commit", "commit", "commit", "join", "leave", "drain")):
            case "commit":
                tables.commit(person)
                hub.hint({person: luck.choice((None, len(tables[person])))}, first=luck.random() < 0.3)
            case "join":
                begin, wire = luck.randint(0, len(tables[person])), Wire(luck)
                here.append((Listener(person, wire, begin, 0, None), wire, begin))
                hub.join(here[-1][0])
            case "leave" if here:
                listener, wire, begin = here.pop(luck.randrange(len(here)))
                hub.leave(listener)
                assert wire.offsets == list(range(begin + 1, begin + 1 + len(wire.offsets)))
            case "drain" if here:
                await luck.choice(here)[1].drained()
        await dawdle(luck)
    await eventually(lambda: all(wire.ended or level(listener, tables) for listener, wire, _ in here))
    await hub.stop()
    for listener, wire, begin in here:
        if wire.ended:  # the database was away: it comes back
            continue
        assert wire.offsets == list(range(begin + 1, len(tables[listener.person]) + 1))
        assert wire.unread == len(tables[listener.person]) or not wire.offsets


def level(listener: Listener, tables: Tables) -> bool:
    return listener.live and listener.position == len(tables[listener.person])


class Looking(World):
    """Counts the persons who are looked for."""

    looks = 0

    async def _missed(self, database: Database, after: dict[Person, int], most: int) -> dict[Person, Missed]:
        self.looks += len(after)
        steps = {person: self.tables[person][at : at + most] for person, at in after.items()}
        return {person: Missed(some) for person, some in steps.items() if some}


async def test_p6_4_what_was_told_is_not_looked_for_again() -> None:
    """A gateway hears by Kafka, too, of what it has shown itself."""
    tables = Tables(random.Random(1))
    hub, (ann, bob, _) = Looking(tables), PEOPLE
    listeners = [Listener(person, Wire(tables.luck), 0, 0, None) for person in (ann, bob)]
    await hub.start()
    for one in listeners:
        hub.join(one)
    await eventually(lambda: all(one.live for one in listeners))
    begun = hub.looks
    for person, upto in ((ann, 1), (ann, 1), (bob, 1), (bob, 1), (ann, 2)):
        if len(tables[person]) < upto:
            tables.commit(person)
        hub.hint({person: upto})
        await eventually(lambda: all(level(one, tables) for one in listeners))
    await hub.stop()
    assert hub.looks - begun == 3


def test_who_acts_himself_is_heard_first() -> None:
    hints, crowd = Hints(), {person: list(range(2)) for person in PEOPLE}
    ann, bob, eve = PEOPLE
    hints.add({ann: 1, bob: 7}, first=False)
    hints.add({eve: 1}, first=True)
    hints.add({bob: 5}, first=True)
    assert list(hints.take(2, 100, crowd.__getitem__).items()) == [(eve, 1), (bob, 7)]
    assert hints.take(2, 100, crowd.__getitem__) == {ann: 1}


def test_who_does_not_say_how_far_a_stream_went_may_have_heard_of_any_step() -> None:
    hints, ann = Hints(), PEOPLE[0]
    for upto in (3, None, 5):
        hints.add({ann: upto}, first=False)
    assert hints.take(1, 100, lambda _: ()) == {ann: None}


def test_a_turn_writes_to_so_many_and_no_more() -> None:
    hints, crowd = Hints(), {person: list(range(2)) for person in PEOPLE}
    hints.add(dict.fromkeys(PEOPLE, 1), first=False)
    assert list(hints.take(10, 3, crowd.__getitem__)) == PEOPLE[:2]
    assert list(hints.take(10, 3, crowd.__getitem__)) == PEOPLE[2:]


def test_who_read_earlier_and_joined_later_misses_nothing() -> None:
    """Two join at once: what one of them has read already, the other must still be told."""
    luck, audience = random.Random(1), Audience()
    ahead, late = (Listener(PEOPLE[0], Wire(luck), offset, 0, None) for offset in (11, 10))
    for one in (ahead, late):
        audience.listeners.add(one)
        audience.joined(one)
    assert audience.stir() == 10
    twelve = News(11, [Frame({}, 12)], 12, 0)
    assert ahead.take(twelve, 100)
    assert not late.take(twelve, 100), "it does not have the eleventh"
    assert (ahead.position, late.position, late.live) == (12, 10, False)
