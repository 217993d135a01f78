"""The directory as the gateway knows it: the newest state of each object, in whatever order it arrives (P1, P9)."""

from collections.abc import Iterable, Sequence

from contracts import erasure, identity, topics
from contracts import events as e
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message
from services.gateway.store import deadlines, directory, people
from services.gateway.store.directory import Version


async def remember(connection: Connection, messages: Sequence[Message]) -> Sequence[Outgoing]:
    """Keep what is newer than what is known."""
    newest: dict[tuple[str, str], Version] = {}
    for message in messages:
        if isinstance(message.event, e.OfDirectory):
            version = _version(message, message.event)
            old = newest.get((version.topic, version.key))
            if old is None or (version.as_of, version.offset) > (old.as_of, old.offset):
                newest[version.topic, version.key] = version
    if not newest:
        return ()
    leaving = await _leaving(connection, newest.values())
    applied = await directory.apply(connection, list(newest.values()))
    await _file_deadlines(connection, [newest[place] for place in applied])
    return [Outgoing.of(await _forget(connection, gone, was)) for gone, was in leaving if _place(gone) in applied]


async def _leaving(connection: Connection, versions: Iterable[Version]) -> list[tuple[Version, e.Recipient]]:
    """The people whose entry is taken away, and what it said; but for those who are being forgotten already."""
    gone = {v.key: v for v in versions if v.topic == topics.RECIPIENTS.name and v.value is None}
    there = await directory.several(connection, topics.RECIPIENTS.name, list(gone)) if gone else []
    leaving = [(gone[v.key], v.as_of, e.Recipient.model_validate_json(v.value)) for v in there if v.value]
    return [
        (version, was)
        for version, as_of, was in leaving
        if not await people.erased_since(connection, was.tenant, was.user_id, as_of)
    ]


async def _forget(connection: Connection, gone: Version, was: e.Recipient) -> e.Control:
    """An empty value on a recipient means: forget (P8). The same record orders the same, however often it is read."""
    known = [address for address in (was.email, was.phone) if address]
    hashes = tuple(map(erasure.hashed, known))
    who = erasure.Forget(tenant=was.tenant, user_id=was.user_id, address_hashes=hashes, through=gone.as_of)
    run_id = identity.object_id(was.tenant, erasure.FORGET.id, f"{was.user_id}/{identity.milliseconds(gone.as_of)}")
    await people.note_erasure(connection, run_id, who)
    return erasure.order(run_id, who)


def _place(version: Version) -> tuple[str, str]:
    return version.topic, version.key


async def _file_deadlines(connection: Connection, versions: Sequence[Version]) -> None:
    there, gone = deadlines.filed(versions)
    await deadlines.write(connection, there)
    await deadlines.forget(connection, gone)


def _version(message: Message, event: e.OfDirectory) -> Version:
    received = message.received
    value = None if isinstance(event, e.Tombstone) else event.model_dump_json(exclude_none=True)
    return Version(received.topic, event.key, event.tenant, value, received.as_of, received.offset, event.command)
