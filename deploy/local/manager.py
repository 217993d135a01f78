"""supervisor keeps the programs up: its configuration, and what we ask it over its unix socket."""

from __future__ import annotations

import hashlib
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from deploy.local.launch import holder, send, until_gone
from deploy.local.program import Program
from deploy.local.server import tail
from deploy.local.trouble import Trouble

# What a unix socket's path may have on macOS, the strictest, less the process id that supervisor appends for a moment.
LONGEST_SOCKET_PATH = 103 - 8
FILES = 10_240
SERVERS, SERVICES = "servers", "services"
STOPPED = frozenset({"STOPPED", "EXITED", "FATAL"})


@dataclass(frozen=True, slots=True)
class State:
    """What supervisor says of one program: its state (RUNNING, STARTING, BACKOFF, ...)."""

    name: str
    group: str
    state: str


class Manager:
    """One supervisord for one state folder."""

    def __init__(self, state: Path, logs: Path, root: Path) -> None:
        self.state = state
        self.logs = logs
        self.root = root
        self.run = state / "run"
        self.record = self.run / "manager.lock"
        self.log = logs / "manager.log"
        self.socket = short_socket(self.run / "manager.sock")

    @property
    def pid(self) -> int | None:
        return holder(self.record)

    def record_of(self, name: str) -> Path:
        """The lock that the program of that name holds while it lives."""
        return self.run / f"{name}.lock"

    def start(self, servers: Sequence[Program], services: Sequence[Program]) -> None:
        """Starts supervisord with its servers (services wait to be started); does nothing when it runs."""
        if self.pid is not None:
            return
        self._make_socket_folder()
        configuration = self.run / "manager.conf"
        configuration.write_text(self._configuration(servers, services), encoding="utf-8")
        command = [sys.executable, "-m", "deploy.local.launch", str(self.record)]
        command += [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(configuration)]
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 20
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Trouble("the process manager does not start", f"{self.log} ends with: {tail(self.log)}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether supervisord takes requests."""
        try:
            self._ask("getState")
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def states(self) -> dict[str, State]:
        """Every program's state by name; empty when supervisord does not answer."""
        try:
            rows = self._ask("getAllProcessInfo")
        except (OSError, xmlrpc.client.Error):
            return {}
        return {row["name"]: State(row["name"], row["group"], row["statename"]) for row in rows}

    def start_what_is_down(self, group: str) -> list[str]:
        """Starts the group's programs that do not run, also those that wait for their next try; returns their names."""
        started = []
        for state in self.states().values():
            if state.group != group or state.state not in STOPPED | {"BACKOFF"}:
                continue
            if state.state == "BACKOFF":  # back to the shortest pause
                self._ask("stopProcess", f"{group}:{state.name}")
            try:
                self._ask("startProcess", f"{group}:{state.name}", False)
            except xmlrpc.client.Fault:
                continue  # it came up by itself meanwhile
            started.append(state.name)
        return started

    def shut_down(self, timeout: float) -> None:
        """Asks supervisord to end all it keeps and then itself; kills it when it has not within `timeout` seconds."""
        try:
            self._ask("shutdown")
        except (OSError, xmlrpc.client.Error):
            timeout = 0  # it does not listen any more
        if not until_gone([self.record], timeout):
            send(self.record, signal.SIGKILL)
            until_gone([self.record], 5)

        if self.socket.parent != self.run:
            shutil.rmtree(self.socket.parent, ignore_errors=True)

    def _make_socket_folder(self) -> None:
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        if self.socket.parent.stat().st_uid != os.getuid():
            raise Trouble(f"{self.socket.parent} belongs to somebody else", "remove it, or use a shorter path")

    def _ask(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        finally:
            transport.close()

    def _configuration(self, servers: Sequence[Program], services: Sequence[Program]) -> str:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        sections = [
            "[supervisord]",
            f"logfile={_plain(self.log)}",
            "logfile_maxbytes=5MB",
            "logfile_backups=1",
            "loglevel=info",
            "silent=true",
            f"pidfile={_plain(self.run / 'manager.pid')}",
            f"childlogdir={_plain(self.run)}",
            f"directory={_plain(self.root)}",
            f"minfds={FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)}",
            "",
            "[unix_http_server]",
            f"file={_plain(self.socket)}",
            "chmod=0700",
            "",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
            "",
        ]
        # The manager ends groups from the last to the first, and a group's programs side by side.
        for priority, (group, programs) in enumerate(((SERVERS, servers), (SERVICES, services)), 1):
            if programs:
                names = ",".join(program.name for program in programs)
                sections += [f"[group:{group}]", f"programs={names}", f"priority={priority}", ""]
            sections += [line for program in programs for line in self._section(program, autostart=group == SERVERS)]
        return "\n".join(sections)

    def _section(self, program: Program, *, autostart: bool) -> list[str]:
        launch = [sys.executable, "-m", "deploy.local.launch", str(self.record_of(program.name)), *program.command]
        return [
            f"[program:{program.name}]",
            f"command={shlex.join(launch).replace('%', '%%')}",
            f"directory={_plain(self.root)}",
            f"autostart={'true' if autostart else 'false'}",
            "autorestart=true",
            "startsecs=2",
            # It goes on trying, each pause a second longer than the one before.
            "startretries=100000",
            f"stopsignal={program.stop_signal.name.removeprefix('SIG')}",
            f"stopwaitsecs={program.stop_seconds}",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={_plain(self.logs / f'{program.name}.log')}",
            "stdout_logfile_maxbytes=20MB",
            "stdout_logfile_backups=1",
            "",
        ]


def short_socket(wanted: Path) -> Path:
    """That path, or, where it is too long for a socket, one in a folder of ours in the temporary folder."""
    if len(os.fsencode(wanted)) <= LONGEST_SOCKET_PATH:
        return wanted
    name = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"tocsin-{os.getuid()}-{name}" / wanted.name


def _plain(value: Path) -> str:
    """A path as supervisor's configuration takes it: `%` doubled."""
    return str(value).replace("%", "%%")
