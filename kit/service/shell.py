"""From the settings to the last goodbye of one service process."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NoReturn

from starlette.types import Receive, Scope, Send

from kit import logs
from kit.clock import monotonic
from kit.health import Health
from kit.metrics import Metrics
from kit.service.absence import is_absence
from kit.service.parts import SAY_AGAIN_SECONDS, Named, Parts
from kit.settings import Settings, SettingsError, load
from kit.settings.names import name_of
from kit.web_server import PortTaken, WebServer

Build = Callable[[Settings], Awaitable[Parts]]

GRACE_SECONDS: Final = 10.0
TAIL_SECONDS: Final = 3.0
"""What is not over this long after the grace is over by force: a thread or a library that hangs keeps no process."""
SHORTEST_GOODBYE: Final = 0.25
TRY_AGAIN_SECONDS: Final = 1.0
COLLECT_AFTER: Final = (20_000, 20, 20)
"""Allocations, and generations, between two looks of the garbage collector: with Python's 700 it walks through each
batch of messages dozens of times, and they die with their batch anyway."""

OK: Final = 0
FAILED: Final = 1
BAD_SETTINGS: Final = 78  # EX_CONFIG of sysexits.h

log = logs.get(__name__)


def run(name: str, build: Build, *, grace: float = GRACE_SECONDS, tail: float = TAIL_SECONDS) -> NoReturn:
    """Be the service `name`: read the settings, start what `build` puts together, stop at SIGTERM or SIGINT.

    All parts together have `grace` seconds to stop, and the process `tail` more until it is ended by force. Ends with 0
    after a signal, 78 when the settings cannot be used, 1 when a part could not start or died; whoever started the
    process starts it again.
    """
    try:
        settings = load(Path.cwd(), os.environ)
    except SettingsError as error:
        sys.exit(_tell(error))
    logs.configure(name, settings.log_level, settings.logs_dir)
    for warning in settings.warnings:
        log.warning("note_on_settings", detail=warning)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        code = runner.run(Shell(name, settings, build, grace, tail).live())
    logging.shutdown()
    sys.exit(code)


class Shell:
    """One life of one service."""

    def __init__(self, name: str, settings: Settings, build: Build, grace: float, tail: float) -> None:
        self.name = name
        self.grace = grace
        self.tail = tail
        self.settings = settings
        self.build = build
        self.running: list[Named] = []
        self.door: WebServer | None = None
        self.health = _not_started(name)
        self.ending = asyncio.Event()
        self.force: threading.Timer | None = None

    async def live(self) -> int:
        """Everything from the first signal handler on; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.set_exception_handler(_log_unhandled)
        try:
            return await self._serve()
        except PortTaken as error:
            log.error("port_taken", detail=str(error))
            return FAILED
        except SettingsError as error:
            return _tell(error)
        finally:
            await self._stop()

    async def _serve(self) -> int:
        await self._show_health()
        starting = asyncio.create_task(self._start())
        ending = asyncio.create_task(self.ending.wait())
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting}, timeout=self.grace / 2)
            return OK
        if not starting.result():
            return FAILED
        log.info("started", parts=[named.name for named in self.running])
        return await self._watch(ending)

    async def _watch(self, ending: "asyncio.Task[Any]") -> int:
        """Until the end is asked for, or a part is no more: half a service helps nobody."""
        tasks = {named.task: named.name for named in self.running if named.task}
        done, _ = await asyncio.wait({ending, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        dead = [] if ending in done else list(done)
        for task in dead:
            reason = None if task.cancelled() else task.exception()
            log.error("part_died", part=tasks[task], exc_info=reason)
        return FAILED if dead else OK

    async def _start(self) -> bool:
        """Build and start everything, again and again while a server is not there yet."""
        said = -SAY_AGAIN_SECONDS
        while True:
            try:
                await self._start_once()
                return True
            except (PortTaken, SettingsError):
                raise
            except Exception as error:
                await self._stop_parts()
                if not is_absence(error):
                    log.exception("start_failed")
                    return False
                if monotonic() - said >= SAY_AGAIN_SECONDS:
                    log.warning("waiting_for_a_server", error=f"{type(error).__name__}: {error}")
                    said = monotonic()
            await asyncio.sleep(TRY_AGAIN_SECONDS)

    async def _start_once(self) -> None:
        self.health = _not_started(self.name)
        parts = await self.build(self.settings)
        self.running = [named for named in parts.all if named.open_already]
        for named in parts.all:
            if not named.open_already:
                self.running.append(named)
                await named.start()
        self.health = parts.health
        # What the start made stays until the end: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)

    async def _stop(self) -> None:
        log.info("stopping")
        self.health = _not_started(self.name)
        self._limit_the_end()
        if self.door:  # the last to go: until then it says that we are not ready
            self.running.insert(0, Named("health", self.door))
        await self._stop_parts()
        log.info("stopped")

    async def _stop_parts(self) -> None:
        """In reverse; each may use the time that is left, but for a moment for those after it."""
        over = monotonic() + self.grace
        while self.running:
            named = self.running.pop()
            left = over - monotonic() - SHORTEST_GOODBYE * len(self.running)
            await _stop_one(named, max(left, SHORTEST_GOODBYE))

    async def _show_health(self) -> None:
        """A service without HTTP of its own answers for its health on a port of its own."""
        ports = self.settings.ports
        port = ports.of(self.name)
        if port is not None:
            door = WebServer(self._answer, ports.host, port, name_of(("ports", self.name)) or self.name)
            await door.start()
            self.door = door

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.health.app(scope, receive, send)

    def _end(self) -> None:
        if self.ending.is_set():
            log.warning("ended_by_a_second_signal")
            os._exit(FAILED)
        self.ending.set()
        self._limit_the_end()

    def _limit_the_end(self) -> None:
        """From now on, whatever hangs has a limit."""
        if self.force is None:
            self.force = threading.Timer(self.grace + self.tail, os._exit, (FAILED,))
            self.force.daemon = True
            self.force.start()


async def _stop_one(named: Named, seconds: float) -> None:
    """A part that does not stop in time is left where it is: the others have a right to their end."""
    stopping = asyncio.create_task(named.stop())
    await asyncio.wait({stopping}, timeout=seconds)
    if not stopping.done():
        stopping.cancel()
        log.error("part_did_not_stop", part=named.name, seconds=round(seconds, 1))
    elif error := stopping.exception():
        log.error("part_stopped_badly", part=named.name, exc_info=error)


def _not_started(name: str) -> Health:
    health = Health(name, Metrics(name).registry)
    health.ready_when("started", lambda: False)
    return health


def _log_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    log.error("unhandled", detail=context.get("message"), exc_info=context.get("exception"))


def _tell(error: SettingsError) -> int:
    for problem in error.problems:
        print(problem, file=sys.stderr, flush=True)
    return BAD_SETTINGS


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
