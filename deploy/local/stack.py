"""The whole installation on one machine: embedded servers and services, brought up and looked at."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from deploy.local.book import Book
from deploy.local.jars import cannot_write
from deploy.local.launch import holder
from deploy.local.manager import Manager
from deploy.local.patience import Limits, Patience
from deploy.local.places import Places
from deploy.local.ports import taken
from deploy.local.program import Elsewhere, Program
from deploy.local.supervisor_conf import SERVERS, SERVICES
from deploy.local.teller import Teller, alone
from deploy.local.trouble import Trouble


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
        places: Places,
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
        self.places = places
        self.servers = list(servers)
        self.services = list(services)
        self.elsewhere = list(elsewhere)
        self.prepare = prepare or {}
        self.between = between
        self.limits = limits
        self.manager = Manager(places)
        self.book = Book(places.book)

    def up(self, tell: Teller) -> Status:
        """Starts what does not run, replaces nothing, and returns when all are ready. Raises Trouble."""
        self._make_folders()
        with alone(self.places.run, tell):
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
        return holder(self.places.record(program.name))

    def _seen(self, program: Program) -> Seen:
        pid = self._pid(program)
        return Seen(program.name, pid, pid is not None and program.ready(), program.port, program.address)

    def _make_folders(self) -> None:
        for folder in (self.places.state, self.places.run, self.places.logs):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / ".probe"
                probe.touch()
                probe.unlink()
            except OSError as error:
                raise cannot_write(folder, error) from error
        state = self.places.state
        free = shutil.disk_usage(state).free
        if free < self.limits.room_bytes:
            raise Trouble(f"only {free // 2**20} MB of disk are left for {state}", "free some (1 GB will do)")

    def _refuse_changed_settings(self) -> None:
        """What runs was started with other settings: a start beside it would wait in vain, or start things twice."""
        running = [name for name in self.book.names() if holder(self.places.record(name)) is not None]
        if running and not self.book.describes(self.servers, self.services):
            raise Trouble(
                "the stack that runs was started with other settings", "stop it (`make stop`), then start it again"
            )

    def taken_ports(self) -> Iterator[tuple[str, int, str, str]]:
        """Ports that others hold, of programs that do not run: (program, port, setting, " by process 12 (nginx)")."""
        for program in (*self.servers, *self.services):
            if self._pid(program) is not None:
                continue
            for setting, port in program.ports.items():
                if taken(port, program.host):
                    yield program.name, port, setting, _by_whom(port)

    def _refuse_taken_ports(self) -> None:
        for name, port, setting, whom in self.taken_ports():
            raise Trouble(f"port {port} for {name} is taken{whom}", f"end that, or set {setting} to a free port")

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
