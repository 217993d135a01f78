"""The directory as the gateway knows it: the newest state of each object, in whatever order it arrives (P1, P9)."""

from collections.abc import Sequence

from contracts import events as e
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message
from services.gateway.store import deadlines, directory
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
    if newest:
        applied = await directory.apply(connection, list(newest.values()))
        await _file_deadlines(connection, [newest[place] for place in applied])
    return ()


async def _file_deadlines(connection: Connection, versions: Sequence[Version]) -> None:
    there, gone = deadlines.filed(versions)
    await deadlines.write(connection, there)
    await deadlines.forget(connection, gone)


def _version(message: Message, event: e.OfDirectory) -> Version:
    received = message.received
    value = None if isinstance(event, e.Tombstone) else event.model_dump_json(exclude_none=True)
    return Version(received.topic, event.key, event.tenant, value, received.as_of, received.offset, event.command)
