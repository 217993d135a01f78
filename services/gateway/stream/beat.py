"""Time passes for those who listen: signs of life, expired tokens, and a look for hints that were lost."""

import asyncio

from kit import logs
from kit.clock import monotonic, utc_now
from kit.postgres import fate
from kit.service import Loop
from services.gateway.stream import codes
from services.gateway.stream.frames import HEARTBEAT
from services.gateway.stream.hub import Hub

log = logs.get(__name__)


class Beat(Loop):
    """A Part: once a second."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(self._beat_on)
        self._hub = hub
        self._beats = 0
        self._looked = 0.0

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._beat()
            if monotonic() - self._looked >= self._hub.pace.look_round:
                await self._look_round()
                self._looked = monotonic()

    def _beat(self) -> None:
        """Ends what has expired; each second another part of them hears that we are alive."""
        self._beats += 1
        now, every = utc_now().timestamp(), self._hub.pace.heartbeat
        for listener in list(self._hub.listeners()):
            if listener.until is not None and listener.until <= now:
                self._hub.end(listener, codes.EXPIRED)
            elif listener.live and (hash(listener) + self._beats) % every == 0:
                listener.wire.write(HEARTBEAT)

    async def _look_round(self) -> None:
        try:
            await self._hub.look_round()
        except Exception as error:
            if fate(error) != "connection":
                log.exception("look_round_failed")


class Farewell:
    """A Part that starts after the web server and so stops before it: whoever listens is told to come back."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def start(self) -> None:
        """Nothing has to be done."""

    async def stop(self) -> None:
        self._hub.end_all(codes.RESTART)
