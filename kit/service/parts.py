"""What a service is made of: parts with a beginning and an end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, runtime_checkable

from kit import logs
from kit.clock import monotonic
from kit.health import Health
from kit.metrics import Metrics

PULSE_SECONDS: Final = 1.0
SAY_AGAIN_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.25

log = logs.get(__name__)


@runtime_checkable
class Part(Protocol):
    """Something that is started and stopped.

    Two things more are heard if a part has them: `ready` (bool) counts for the service's readiness, and `task` (an
    asyncio.Task that lives as long as the part does) ends the whole process when it ends by itself.
    """

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@runtime_checkable
class Closable(Protocol):
    """Something that is open already and must be closed, such as a pool."""

    async def close(self) -> None: ...


@runtime_checkable
class Pooled(Protocol):
    """Something that holds connections: at work, idle, and the most there may be are among the figures."""

    @property
    def usage(self) -> tuple[int, int, int]: ...


P = TypeVar("P", bound=Part | Closable)


@dataclass(frozen=True, slots=True)
class Named:
    """A part and what logs and health call it."""

    name: str
    part: Part | Closable

    @property
    def open_already(self) -> bool:
        return not isinstance(self.part, Part)

    async def start(self) -> None:
        if isinstance(self.part, Part):
            await self.part.start()

    async def stop(self) -> None:
        await (self.part.stop() if isinstance(self.part, Part) else self.part.close())

    @property
    def task(self) -> asyncio.Task[None] | None:
        found = getattr(self.part, "task", None)
        return found if isinstance(found, asyncio.Task) else None


class Parts:
    """The parts of one service in the order they start; they stop in the other direction. With it come `metrics` and
    `health`, for those who count and those who know whether they are ready."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.metrics = Metrics(service)
        self.health = Health(service, self.metrics.registry)
        self.all: list[Named] = []
        self.add("loop_delay", LoopDelay(self.metrics))

    def add(self, name: str, part: P, *, needed: bool = True) -> P:
        """Take a part in, after those that are there; gives it back, so that it can be named and used. Where it is
        not `needed`, the service is ready without it."""
        self.all.append(Named(name, part))
        if needed and hasattr(part, "ready"):
            self.health.ready_when(name, lambda: bool(part.ready))
        if isinstance(part, Pooled):
            self.metrics.when_read(lambda: self.metrics.pool(name, *part.usage))
        return part

    def watch(self, name: str, alive: Callable[[], Awaitable[bool]]) -> None:
        """Ready only while `name` answers: `parts.watch("postgresql", database.alive)`."""
        self.add(name, Pulse(name, alive))


class Loop:
    """A part that is one endless piece of work, such as a sweep: stopped by cancelling it."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self.task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self.task and not self.task.done():
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task

    async def _run(self) -> None:
        await self._work()


class LoopDelay(Loop):
    """A part that sees how late the event loop comes to what is due: whatever blocks it, delays all."""

    def __init__(self, metrics: Metrics, seconds: float = LOOK_SECONDS) -> None:
        super().__init__(self._look_on)
        self._metrics = metrics
        self._seconds = seconds

    async def _look_on(self) -> None:
        while True:
            begun = monotonic()
            await asyncio.sleep(self._seconds)
            self._metrics.loop_delayed(max(monotonic() - begun - self._seconds, 0.0))


class Pulse(Loop):
    """A part that asks every second whether a server answers, and says in the log when it goes and when it is back."""

    def __init__(self, server: str, alive: Callable[[], Awaitable[bool]], seconds: float = PULSE_SECONDS) -> None:
        super().__init__(self._ask_on)
        self.server = server
        self.ready = False
        self._alive = alive
        self._seconds = seconds
        self._silent_since: float | None = None
        self._said = 0.0

    async def start(self) -> None:
        await self._ask()
        await super().start()

    async def _ask_on(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self._ask()

    async def _ask(self) -> None:
        self.ready = await self._alive()
        if self.ready:
            self._is_back()
        else:
            self._is_away(monotonic())

    def _is_back(self) -> None:
        if self._silent_since is not None:
            log.info("server_is_back", server=self.server, seconds=round(monotonic() - self._silent_since, 1))
            self._silent_since = None

    def _is_away(self, now: float) -> None:
        first = self._silent_since is None
        if first:
            self._silent_since = now
        if first or now - self._said >= SAY_AGAIN_SECONDS:
            log.warning("server_does_not_answer", server=self.server)
            self._said = now
