"""The whole installation on one machine: embedded servers and services, brought up and taken down."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from deploy.local.jars import cannot_write
from deploy.local.launch import holder, send, until_gone
from deploy.local.manager import SERVERS, SERVICES, Manager
from deploy.local.ports import taken
from deploy.local.program import Elsewhere, Program
from deploy.local.server import tail
from deploy.local.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Limits:
    """What a start puts up with."""

    ready_seconds: float = 120.0
    broken_seconds: float = 15.0
    """A program that does nothing but start and end is given up (by us, not by the manager) after this long."""
    room_bytes: int = 500 * 2**20
    """Free disk space."""


class Teller(Protocol):
    """Tells a person how it goes."""

    def say(self, text: str) -> None:
        """One step."""

    def progress(self, text: str, done: int, total: int) -> None:
        """How far a long step is."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One program as it is now. `pid` None: it does not run, or it is no program of ours (a Kafka of your own)."""

    name: str
    pid: int | None
    ready: bool
    port: int | None
    address: str


@dataclass(frozen=True, slots=True)
class Status:
    """All of the stack as it is now; `manager` is the process that keeps it up."""

    services: list[Seen]
    servers: list[Seen]
    manager: int | None

    @property
    def ready(self) -> bool:
        return all(one.ready for one in (*self.services, *self.servers))


class Stack:
    """The programs of one state folder, and what belongs between their starts."""

    def __init__(
        self,
        root: Path,
        state: Path,
        logs: Path,
        *,
        servers: Sequence[Program],
        services: Sequence[Program],
        elsewhere: Sequence[Elsewhere] = (),
        prepare: Mapping[str, Callable[[Teller], object]] | None = None,
        between: Callable[[Teller], None] = lambda tell: None,
        limits: Limits = Limits(),
    ) -> None:
        """`prepare` has, by server, what is done before its start, where a person sees it; `between` runs once the
        servers are ready and before the services start."""
        self.state = state
        self.logs = logs
        self.servers = list(servers)
        self.services = list(services)
        self.elsewhere = list(elsewhere)
        self.prepare = prepare or {}
        self.between = between
        self.limits = limits
        self.manager = Manager(state, logs, root)
        self.book = Book(self.manager.run / "programs.json")

    def up(self, tell: Teller) -> Status:
        """Starts what does not run, replaces nothing, and returns when all are ready. Raises Trouble."""
        self._make_folders()
        with alone(self.manager.run, tell):
            self._refuse_changed_settings()
            self._refuse_taken_ports()
            for server in self.servers:
                if server.name in self.prepare and self._pid(server) is None:
                    self.prepare[server.name](tell)
            self.book.write(self.servers, self.services)
            self.manager.start(self.servers, self.services)
            self._start(SERVERS, self.servers, tell)
            self.between(tell)
            self._start(SERVICES, self.services, tell)
        return self.status()

    def status(self) -> Status:
        """How everything is now; all are asked side by side."""
        with ThreadPoolExecutor(max_workers=16) as pool:
            services = pool.map(self._seen, self.services)
            servers = pool.map(self._seen, self.servers)
            others = pool.map(_seen_elsewhere, self.elsewhere)
            return Status(list(services), [*servers, *others], self.manager.pid)

    def _pid(self, program: Program) -> int | None:
        return holder(self.manager.record_of(program.name))

    def _seen(self, program: Program) -> Seen:
        pid = self._pid(program)
        return Seen(program.name, pid, pid is not None and program.ready(), program.port, program.address)

    def _make_folders(self) -> None:
        for folder in (self.state, self.manager.run, self.logs):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / ".probe"
                probe.touch()
                probe.unlink()
            except OSError as error:
                raise cannot_write(folder, error) from error
        free = shutil.disk_usage(self.state).free
        if free < self.limits.room_bytes:
            raise Trouble(f"only {free // 2**20} MB of disk are left for {self.state}", "free some (1 GB will do)")

    def _refuse_changed_settings(self) -> None:
        """What runs was started with other settings: a start beside it would wait in vain, or start things twice."""
        running = [name for name in self.book.names() if holder(self.manager.record_of(name)) is not None]
        if running and not self.book.describes(self.servers, self.services):
            raise Trouble(
                "the stack that runs was started with other settings", "stop it (`make stop`), then start it again"
            )

    def _refuse_taken_ports(self) -> None:
        for program in (*self.servers, *self.services):
            if self._pid(program) is not None:
                continue
            for setting, port in program.ports.items():
                if taken(port, program.host):
                    raise Trouble(
                        f"port {port} for {program.name} is taken{_by_whom(port)}",
                        f"end that, or set {setting} to a free port",
                    )

    def _start(self, group: str, programs: Sequence[Program], tell: Teller) -> None:
        self.manager.start_what_is_down(group)
        waiting = {program.name: program for program in programs}
        patience = Patience(self.manager, self.limits)
        while waiting:
            for name, program in list(waiting.items()):
                if self._pid(program) is not None and program.ready():
                    tell.say(f"{name} is ready ({program.address})")
                    del waiting[name]
            patience.check(list(waiting))
            time.sleep(0.1)


class Patience:
    """How long a start waits: until its deadline, and not that long for a program that only starts and ends."""

    def __init__(self, manager: Manager, limits: Limits) -> None:
        self._manager = manager
        self._limits = limits
        self._deadline = time.monotonic() + limits.ready_seconds
        self._stumbling: dict[str, float] = {}

    def check(self, waiting: Sequence[str]) -> None:
        """Raises Trouble with the end of the log of the first one that is waited for in vain."""
        now = time.monotonic()
        states = self._manager.states() if waiting else {}
        for name in waiting:
            log = self._manager.logs / f"{name}.log"
            match states[name].state if name in states else "unknown":
                case "RUNNING":
                    self._stumbling.pop(name, None)
                case "STARTING":
                    pass
                case _:
                    self._stumbling.setdefault(name, now)
            if now - self._stumbling.get(name, now) > self._limits.broken_seconds:
                raise Trouble(f"{name} ends as soon as it starts", f"its log {log} ends with: {tail(log)}")
            if now > self._deadline:
                seconds = f"{self._limits.ready_seconds:.0f} s"
                raise Trouble(f"{name} is not ready after {seconds}", f"its log {log} ends with: {tail(log)}")


class Book:
    """What was started, written down: `down` goes by it, whatever the settings say by then."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def write(self, servers: Sequence[Program], services: Sequence[Program]) -> None:
        """Writes it whole or not at all."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps(_pages(servers, services), indent=1), encoding="utf-8")
        draft.replace(self._file)

    def read(self) -> dict[str, list[dict[str, Any]]]:
        """What was written last: the programs of each group; nothing when there was no start yet."""
        try:
            return dict(json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}

    def names(self) -> list[str]:
        """All programs in it."""
        return [page["name"] for pages in self.read().values() for page in pages]

    def describes(self, servers: Sequence[Program], services: Sequence[Program]) -> bool:
        """Whether exactly these programs are in it."""
        return self.read() == _pages(servers, services)


def _pages(servers: Sequence[Program], services: Sequence[Program]) -> dict[str, list[dict[str, Any]]]:
    groups = {SERVICES: services, SERVERS: servers}
    return {
        group: [
            {
                "name": program.name,
                "command": program.command,
                "ports": dict(program.ports),
                "stop_signal": int(program.stop_signal),
                "stop_seconds": program.stop_seconds,
            }
            for program in programs
        ]
        for group, programs in groups.items()
    }


def down(state: Path, logs: Path, root: Path, tell: Teller) -> list[str]:
    """Ends all that was started from this state folder, services first, and nothing else; returns what it ended.

    It does so whether or not the manager still lives. Raises Trouble when something would not end.
    """
    manager = Manager(state, logs, root)
    groups = Book(manager.run / "programs.json").read()
    if not groups:
        return []
    with alone(manager.run, tell):
        records = {page["name"]: manager.record_of(page["name"]) for pages in groups.values() for page in pages}
        running = [name for name, record in records.items() if holder(record) is not None]
        if manager.pid is not None:
            manager.shut_down(10 + sum(_patience(pages) for pages in groups.values()))
        for group in (SERVICES, SERVERS):
            _end(manager, groups.get(group, []))
        if left := [name for name, record in records.items() if holder(record) is not None]:
            raise Trouble(f"still running: {', '.join(left)}", "end them by hand (`tocsin status` has their ids)")
    return running


def _end(manager: Manager, pages: Sequence[dict[str, Any]]) -> None:
    """Ends what the manager did not end, because it was killed itself."""
    for page in pages:
        send(manager.record_of(page["name"]), signal.Signals(page["stop_signal"]))
    records = [manager.record_of(page["name"]) for page in pages]
    if not until_gone(records, _patience(pages)):
        for record in records:
            send(record, signal.SIGKILL, group=True)
        until_gone(records, 10)


def _patience(pages: Sequence[dict[str, Any]]) -> int:
    return max((int(page["stop_seconds"]) for page in pages), default=0)


@contextmanager
def alone(folder: Path, tell: Teller) -> Iterator[None]:
    """Of two people who start or stop at once, the second waits."""
    with (folder / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell.say("waiting for another start or stop to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _seen_elsewhere(server: Elsewhere) -> Seen:
    return Seen(server.name, None, server.ready(), None, server.address)


def _by_whom(port: int) -> str:
    """` by process 12 (nginx)`, where the system tells."""
    try:
        for connection in psutil.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return ""
