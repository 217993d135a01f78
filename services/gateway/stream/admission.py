"""From a ticket to somebody who listens: who it is, and where the stream goes on."""

import hashlib
import secrets
from typing import Final

from kit.postgres import Database, fate
from services.gateway.rules.resuming import Place, Stream, resumed
from services.gateway.rules.trust import Caller
from services.gateway.store import stream, tickets
from services.gateway.store.tickets import Redeemed
from services.gateway.stream import codes, frames
from services.gateway.stream.codes import Close
from services.gateway.stream.hub import Hub
from services.gateway.stream.listener import Listener
from services.gateway.stream.wires import EventsWire, Wire

TICKET_BYTES: Final = 32
LONGEST_TICKET: Final = 200


class Admission:
    """Gives tickets out and takes them back; any gateway takes those of any other."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self.hub = hub
        self._database = database

    async def ticket(self, caller: Caller) -> str:
        """A new one, good once, for `hub.pace.ticket` seconds, and for as long as what the caller came with."""
        text = secrets.token_urlsafe(TICKET_BYTES)
        person = caller.tenant, caller.sub
        async with self._database.connection() as connection:
            await tickets.keep(connection, _hash(text), person, self.hub.pace.ticket, caller.until)
        return text

    async def place(self, caller: Caller) -> Place:
        """Where the caller's stream stands, for one who does not wait for the `hello` before he takes it that he hears
        everything."""
        async with self._database.connection() as connection:
            return await stream.place(connection, (caller.tenant, caller.sub))

    async def admit(self, ticket: str, place: Place | None, wire: Wire) -> Listener | Close:
        """Whoever has this ticket hears the `hello` and all that lies behind it; or the reason why not."""
        found = await self._redeem(ticket)
        if isinstance(found, Close):
            return found
        if (refusal := self.hub.refusal(found.person)) is not None:
            return refusal
        offset, recovered = resumed(place, Stream(found.epoch, found.last, found.trimmed))
        if isinstance(wire, EventsWire):
            wire.epoch = found.epoch
        wire.write(frames.hello(found.epoch, offset, found.unread, recovered))
        until = found.until.timestamp() if found.until else None
        listener = Listener(found.person, wire, offset, found.unread, until)
        self.hub.join(listener)
        return listener

    async def _redeem(self, ticket: str) -> Redeemed | Close:
        if not ticket or len(ticket) > LONGEST_TICKET:
            return codes.BAD_TICKET
        try:
            async with self._database.connection() as connection:
                found = await tickets.redeem(connection, _hash(ticket))
        except Exception as error:
            if fate(error) != "connection":
                raise
            return codes.AWAY
        return found if found and found.good else codes.BAD_TICKET


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "surrogateescape")).digest()
