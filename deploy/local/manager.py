"""supervisor keeps the programs up: how it is started, asked and ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from deploy.local.launch import holder, send, until_gone
from deploy.local.places import MANAGER, Places
from deploy.local.program import Program
from deploy.local.server import tail
from deploy.local.supervisor_conf import configuration
from deploy.local.trouble import Trouble

STOPPED = frozenset({"STOPPED", "EXITED", "FATAL"})
NOT_NOW = (OSError, xmlrpc.client.Error)
"""What asking raises while supervisord starts, ends, or is gone."""


@dataclass(frozen=True, slots=True)
class State:
    """What supervisor says of one program: its state (RUNNING, STARTING, BACKOFF, ...)."""

    name: str
    group: str
    state: str


class Manager:
    """One supervisord for one stack."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.record = places.record(MANAGER)

    @property
    def pid(self) -> int | None:
        """Its process id, if it lives."""
        return holder(self.record)

    def start(self, servers: Sequence[Program], services: Sequence[Program]) -> None:
        """Starts supervisord, which starts the servers; does nothing when it runs. Raises Trouble."""
        if self.pid is not None:
            return
        self._make_socket_folder()
        file = self.places.run / "manager.conf"
        file.write_text(configuration(self.places, servers, services), encoding="utf-8")
        command = [sys.executable, "-m", "deploy.local.launch", str(self.record)]
        command += [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(file)]
        log = self.places.log(MANAGER)
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=self.places.root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 20
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Trouble("the process manager does not start", f"{log} ends with: {tail(log)}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether supervisord takes requests."""
        try:
            self._ask("getState")
        except NOT_NOW:
            return False
        return True

    def states(self) -> Mapping[str, State]:
        """Every program's state by name; empty when supervisord does not answer."""
        try:
            rows = self._ask("getAllProcessInfo")
        except NOT_NOW:
            return {}
        return {row["name"]: State(row["name"], row["group"], row["statename"]) for row in rows}

    def start_what_is_down(self, group: str) -> None:
        """Starts the group's programs that do not run, also those that wait for their next try."""
        for state in self.states().values():
            if state.group != group or state.state not in STOPPED | {"BACKOFF"}:
                continue
            program = f"{group}:{state.name}"
            try:
                if state.state == "BACKOFF":  # back to the shortest pause
                    self._ask("stopProcess", program)
                self._ask("startProcess", program, False)
            except xmlrpc.client.Fault:
                continue  # it came up by itself meanwhile

    def shut_down(self, timeout: float) -> None:
        """Asks supervisord to end all it keeps and then itself; kills it when it has not within `timeout` seconds."""
        try:
            self._ask("shutdown")
        except NOT_NOW:
            timeout = 0  # it does not listen any more
        if not until_gone([self.record], timeout):
            send(self.record, signal.SIGKILL)
            until_gone([self.record], 5)
        if self.places.socket.parent != self.places.run:
            shutil.rmtree(self.places.socket.parent, ignore_errors=True)

    def _make_socket_folder(self) -> None:
        folder = self.places.socket.parent
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise Trouble(f"{folder} belongs to somebody else", "remove it, or use a folder with a shorter path")

    def _ask(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.places.socket}")
        proxy = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        finally:
            transport.close()
