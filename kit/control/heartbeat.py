"""Every few seconds an instance says that it lives, and what it does; at its end, that it stops."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from contracts import events as e
from kit import logs
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.clock import monotonic, utc_now
from kit.control.instance import Instance, our_version
from kit.health import Health
from kit.service import Loop

EVERY: Final = 5.0
"""Seconds between two heartbeats; three that are missing are silence."""
GOODBYE: Final = 1.0

log = logs.get(__name__)


class Heartbeat(Loop):
    """Publishes on `ops.status`. `running` says what is being done now, `about` what there is to say besides."""

    def __init__(
        self,
        instance: Instance,
        publisher: Publisher,
        health: Health,
        running: Callable[[], str | None],
        about: Callable[[], Mapping[str, Any]] = dict,
        *,
        every: float = EVERY,
    ) -> None:
        super().__init__(self._beat_on)
        self._instance = instance
        self._publisher = publisher
        self._health = health
        self._running = running
        self._more = about
        self._every = every
        self._since = monotonic()
        self._started_at = utc_now()

    async def stop(self) -> None:
        """Says goodbye, if Kafka listens."""
        await super().stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                await self._say("stopped")

    async def _beat_on(self) -> None:
        while True:
            await self._say("alive")
            await asyncio.sleep(self._every)

    async def _say(self, state: str) -> None:
        status = e.ServiceStatus(
            correlation_id=self._instance.heartbeat_id,
            service=self._instance.service,
            instance=self._instance.name,
            state=state,
            at=utc_now(),
            result=self._about(),
        )
        try:
            await self._publisher.publish([Outgoing.of(status)])
        except Exception as error:  # Kafka is away: then nobody can hear that we live, and that is all
            log.debug("heartbeat_not_heard", error=repr(error))

    def _about(self) -> dict[str, Any]:
        running, not_ready = self._running(), self._health.not_ready()
        return {
            "pid": os.getpid(),
            "version": our_version(),
            "started_at": e.named(self._started_at),
            "uptime_seconds": round(monotonic() - self._since),
            "running": [running] if running else [],
            "ready": not not_ready,
            "not_ready": not_ready,
            "degraded": self._health.degraded(),
        } | dict(self._more())
