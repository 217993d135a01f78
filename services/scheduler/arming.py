"""A batch of changes becomes a batch of timers; which of two timers stays is for the rules to say."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from kit.postgres import Connection
from services.scheduler.rules import timers as rules
from services.scheduler.rules.timers import Change, Timer
from services.scheduler.store import timers as store


async def make(connection: Connection, changes: Iterable[Change]) -> None:
    """Make these changes, in their order for each id.

    Almost all are the first of their id, and take one statement together. Where a timer is there already, it is
    locked and judged with; should it fire or come into being just then, once more.
    """
    of_id: dict[UUID, list[Change]] = defaultdict(list)
    for change in changes:
        of_id[change.id].append(change)
    left = of_id.keys() - await _arm_new(connection, of_id)
    while left:
        left = await _change_those_there(connection, {id_: of_id[id_] for id_ in left})


async def _arm_new(connection: Connection, of_id: Mapping[UUID, Sequence[Change]]) -> set[UUID]:
    """Those that need not know what is there; a TakenBack must see it first."""
    only_armed = (changes for changes in of_id.values() if all(isinstance(one, Timer) for one in changes))
    return await _insert(connection, [timer for changes in only_armed if (timer := rules.after(None, changes))])


async def _change_those_there(connection: Connection, of_id: Mapping[UUID, Sequence[Change]]) -> set[UUID]:
    """The ids for which a timer came into being between our look and our word."""
    there = await store.lock(connection, of_id)
    then = {id_: rules.after(there.get(id_), changes) for id_, changes in of_id.items()}
    await store.delete(connection, [id_ for id_ in there if then[id_] is None])
    changed = [timer for id_, timer in then.items() if timer and id_ in there and timer != there[id_]]
    await store.rewrite(connection, changed)
    await store.erase_bodies(connection, [timer.id for timer in changed if timer.kind == "ripe"])
    await store.write_bodies(connection, changed)
    absent = [timer for id_, timer in then.items() if timer and id_ not in there]
    return {timer.id for timer in absent} - await _insert(connection, absent)


async def _insert(connection: Connection, timers: Sequence[Timer]) -> set[UUID]:
    inserted = await store.insert(connection, timers)
    await store.write_bodies(connection, (timer for timer in timers if timer.id in inserted))
    return inserted
