"""Ordering that a person is forgotten: out of the directory and of what several people share first, then everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts import events as e
from contracts import topics
from contracts.erasure import FORGET, Forget, hashed
from contracts.preferences import SUBJECTS
from kit.bus.publisher import PublishFailed
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.postgres.clocks import clock_timestamp
from services.gateway.http.desk import Desk
from services.gateway.http.ids import new_id
from services.gateway.http.operations.routes import RunShown, ordered
from services.gateway.http.problems import unavailable
from services.gateway.rules import people as rules
from services.gateway.rules import recurring
from services.gateway.rules.recurring import Kept
from services.gateway.rules.trust import Caller
from services.gateway.store import deadlines, directory, editions, people


@dataclass(frozen=True, slots=True)
class Erasure:
    """Who is to be forgotten; `addresses` beside those of the directory."""

    tenant: str
    user_id: str
    addresses: Sequence[str]


async def erase(desk: Desk, caller: Caller, asked: Erasure) -> RunShown:
    """Orders it, and what came of it within five seconds. Done again from the beginning, it does no harm. Raises
    Problem 503."""
    run_id = new_id()
    async with desk.front.transaction() as connection:
        hashes = await hashes_of(connection, asked)
        who = Forget(
            tenant=asked.tenant,
            user_id=asked.user_id,
            address_hashes=hashes,
            through=await clock_timestamp(connection),
        )
        told = await _shared(connection, who)
        await people.note_erasure(connection, run_id, who)
    gone = [
        Outgoing(topics.PREFERENCES, e.Tombstone(tenant=asked.tenant, path=f"{asked.user_id}/{subject}"))
        for subject in SUBJECTS
    ]
    gone.append(Outgoing(topics.RECIPIENTS, e.Tombstone(tenant=asked.tenant, path=asked.user_id)))
    try:
        await desk.publisher.publish([*told, *gone])
    except PublishFailed:
        raise unavailable("Kafka", seconds=5) from None
    return await ordered(desk, caller, FORGET, run_id, who.model_dump(mode="json"))


async def hashes_of(connection: Connection, asked: Erasure) -> tuple[str, ...]:
    """The hashes of all addresses that are known of the person."""
    version = await directory.get(connection, topics.RECIPIENTS.name, f"{asked.tenant}/{asked.user_id}")
    entry = e.Recipient.model_validate_json(version.value) if version and version.value else None
    known = [entry.email, entry.phone] if entry else []
    return tuple(sorted({hashed(address) for address in (*known, *asked.addresses) if address}))


async def _shared(connection: Connection, who: Forget) -> list[Outgoing]:
    """What several people share, as it is without this one."""
    told = []
    for value in await people.schedules(connection, who.tenant):
        kept = Kept.of(value)
        if rules.names(kept.schedule, who.user_id, who.address_hashes):
            told.append(Outgoing(topics.SETTINGS, await _without(connection, kept, who)))
    for deadline in await deadlines.assigned(connection, who.tenant, who.user_id):
        told.append(Outgoing(topics.DEADLINES, rules.not_assigned(deadline, who.user_id, new_id())))
    return told


async def _without(connection: Connection, kept: Kept, who: Forget) -> e.Setting | e.Tombstone:
    """Under the next number: whoever edits the version with the person in it is told that it is stale."""
    command, where = new_id(), (topics.SETTINGS.name, recurring.key(kept.tenant, kept.id))
    taken = await editions.take(connection, *where, current=kept.version, expected=None, command=command)
    assert taken is not None
    return rules.without(kept, who, taken, command)
