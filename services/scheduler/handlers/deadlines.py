"""What is said about deadlines, and of the directory what their reminders go by."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts import events as e
from contracts.topics import DEADLINES, RECIPIENTS, SETTINGS
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.postgres.clocks import clock
from kit.stage import Message
from services.scheduler.alarm import Alarm
from services.scheduler.rules import deadlines as rules
from services.scheduler.rules.deadlines import As, State
from services.scheduler.store import deadlines as store
from services.scheduler.store import directory
from services.scheduler.store.deadlines import Key
from services.scheduler.store.directory import Person, Tenanted

PLAN = "plan"


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that was said about one deadline, and when."""

    event: e.Deadline | e.Tombstone
    at: As

    @property
    def key(self) -> Key:
        name = self.event.id if isinstance(self.event, e.Deadline) else self.event.path
        return self.event.tenant, name


class Follow:
    """The handler of `deadlines.tracked` and of the directory's people and plans; publishes nothing: what follows is
    said when somebody fires, which is at once."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm

    async def __call__(self, connection: Connection, messages: Sequence[Message]) -> Sequence[Outgoing]:
        """In the stage's transaction."""
        now = await clock(connection)
        of_topic: dict[str, list[Message]] = defaultdict(list)
        for message in messages:
            of_topic[message.received.topic].append(message)
        await self._people(connection, of_topic[RECIPIENTS.name], now)
        await self._plans(connection, of_topic[SETTINGS.name], now)
        await self._deadlines(connection, list(_heard(of_topic[DEADLINES.name])), now)
        self._alarm.arming([now])  # whoever sleeps looks at what has changed
        return ()

    async def _people(self, connection: Connection, messages: Iterable[Message], now: datetime) -> None:
        newest: dict[Tenanted, tuple[Person, As]] = {}
        for message in messages:
            at = message.received.as_of, message.received.offset
            match message.event:
                case e.Recipient() as told:
                    key, person = (told.tenant, told.user_id), Person(told.time_zone, told.locale)
                case e.Tombstone() as gone:
                    key, person = (gone.tenant, gone.path), Person()
                case _:
                    continue
            if key not in newest or newest[key][1] < at:
                newest[key] = person, at
        if newest:
            moved = await directory.put_people(connection, newest)
            await directory.begin_replans(connection, "person", moved, now)

    async def _plans(self, connection: Connection, messages: Iterable[Message], now: datetime) -> None:
        newest: dict[Tenanted, tuple[str | None, As]] = {}
        for message in messages:
            at = message.received.as_of, message.received.offset
            match message.event:
                case e.Setting(what=what) as told if what == PLAN:
                    key, value = (told.tenant, told.id), None if told.value is None else json.dumps(told.value)
                case e.Tombstone() as gone if gone.path.startswith(f"{PLAN}/"):
                    key, value = (gone.tenant, gone.path.removeprefix(f"{PLAN}/")), None
                case _:
                    continue
            if key not in newest or newest[key][1] < at:
                newest[key] = value, at
        if newest:
            changed = await directory.put_plans(connection, newest)
            await directory.begin_replans(connection, "plan", changed, now)

    async def _deadlines(self, connection: Connection, heard: Sequence[Heard], now: datetime) -> None:
        if not heard:
            return
        keys = {one.key for one in heard}
        before = await _states(connection, keys)
        states = dict(before)
        for one in heard:
            states[one.key] = rules.after(states[one.key], one.event, one.at, now)
        changed = [state.tracked for key, state in states.items() if state is not before[key] and state.tracked]
        if not changed:
            return
        written = await store.write(connection, changed)
        await _write(connection, [(before[key], states[key]) for key in written], now)


async def _write(connection: Connection, steps: Sequence[tuple[State, State]], now: datetime) -> None:
    """What has changed about the reminders of these deadlines: (before, after)."""
    gone = [w for old, new in steps for person, w in old.watches.items() if person not in new.watches]
    changed = [w for old, new in steps for person, w in new.watches.items() if old.watches.get(person) != w]
    begun = {(w.tenant, w.user_id) for old, new in steps for p, w in new.watches.items() if p not in old.watches}
    await store.delete_watches(connection, gone)
    await store.write_watches(connection, changed)
    await store.end_groups(connection, [ended for _, new in steps for ended in new.ended], now)
    await store.begin_reports(connection, begun, now)


async def _states(connection: Connection, keys: set[Key]) -> dict[Key, State]:
    known = await store.lock(connection, keys)
    watches: dict[Key, dict[str, rules.Watch]] = defaultdict(dict)
    for watch in await store.lock_watches(connection, known) if known else ():
        watches[watch.tenant, watch.deadline_id][watch.user_id] = watch
    return {key: State(known.get(key), watches[key]) for key in keys}


def _heard(messages: Iterable[Message]) -> Iterable[Heard]:
    for message in messages:
        if isinstance(message.event, e.Deadline | e.Tombstone):
            yield Heard(message.event, (message.received.as_of, message.received.offset))
