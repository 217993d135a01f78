"""To whom nothing is sent any more, as the directory says; what waits for a retry is asked for once more (P5.7)."""

from collections.abc import Sequence

from pydantic_core import to_json

from contracts import events as e
from contracts.events import Due
from contracts.status import Channel
from contracts.suppression import WHAT, name_of
from kit.bus.record import Outgoing
from kit.delivery.store.suppressed import Name, Told, put
from kit.postgres import Connection
from kit.stage import Message


class Suppressed:
    """The handler of a stage on `directory.settings`, for the addresses of one channel."""

    def __init__(self, channel: Channel) -> None:
        self._prefix = f"{channel}/"

    async def hear(self, connection: Connection, messages: Sequence[Message]) -> Sequence[Outgoing]:
        """A batch, in one statement; whatever its order and its repeats."""
        newest: dict[Name, Told] = {}
        for told in filter(None, map(self._told, messages)):
            known = newest.get((told.tenant, told.name))
            if known is None or (known.as_of, known.offset) < (told.as_of, told.offset):
                newest[told.tenant, told.name] = told
        if newest:
            await put(connection, newest.values())
        return ()

    def _told(self, message: Message) -> Told | None:
        at = message.received.as_of, message.received.offset
        match message.event:
            case e.Setting(id=id) as told if told.what == WHAT and id.startswith(self._prefix):
                return Told(told.tenant, id, None if told.value is None else to_json(told.value).decode(), *at)
            case e.Tombstone(path=path) as gone if path.startswith(f"{WHAT}/{self._prefix}"):
                return Told(gone.tenant, path.removeprefix(f"{WHAT}/"), None, *at)
        return None


def name_for(due: Due) -> Name | None:
    """Under which name its address would be suppressed; None where it has none."""
    if due.channel is None or due.content is None or due.content.to is None:
        return None
    return due.tenant, name_of(due.channel, due.content.to)
