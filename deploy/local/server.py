"""A server of this machine as a child process: start it, stop it, kill it, ask whether it lives."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Launch:
    """What to execute: the arguments, what is added to the environment, and as whom (None: as ourselves)."""

    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    user: int | None = None
    group: int | None = None

    def execute(self) -> None:
        """Becomes the server (for a process manager, whose child is then the server itself). Does not return."""
        if self.group is not None and self.user is not None:
            os.setgroups([])
            os.setgid(self.group)
            os.setuid(self.user)
        os.execve(self.arguments[0], self.arguments, {**os.environ, **self.environment})

    def spawn(self, log: Path) -> subprocess.Popen[bytes]:
        """Starts it in a process group of its own, its output appended to `log`."""
        with log.open("ab") as output:
            return subprocess.Popen(
                self.arguments,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.user,
                group=self.group,
                extra_groups=None if self.group is None else [],
            )


class Server(ABC):
    """One embedded server. All calls block; from a coroutine use `asyncio.to_thread`."""

    name: str
    stop_signal: signal.Signals
    start_timeout: float = 60.0
    """Seconds a start may take, retries after a kill included."""

    def __init__(self, data: Path, log: Path) -> None:
        self.data = data
        self.log = log
        self.on_spawn: Callable[[int], None] = lambda pid: None
        """Told the process id of every process it starts."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def address(self) -> str:
        """Where clients find it."""

    @abstractmethod
    def prepare(self) -> Launch:
        """Makes what the first start needs (idempotent) and says what to execute."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it takes requests now; never blocks for more than a second."""

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.alive else None

    @property
    def alive(self) -> bool:
        """Whether the process we started still runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it and waits until it answers; does nothing when it runs. Raises Trouble with the end of its log."""
        if self.alive:
            return
        deadline = time.monotonic() + self.start_timeout
        self.log.parent.mkdir(parents=True, exist_ok=True)
        while time.monotonic() < deadline:
            self._process = self.prepare().spawn(self.log)
            self.on_spawn(self._process.pid)
            if self._until_it_answers(deadline):
                return
            # A killed server's successor is refused for some seconds (Kafka's registration, PostgreSQL's shared
            # memory): it exits, and the next try succeeds.
            self.kill()
            time.sleep(0.2)
        raise Trouble(f"{self.name} does not start", f"its log {self.log} ends with: {tail(self.log)}")

    def stop(self, timeout: float = 20.0) -> None:
        """Asks it to end, and kills it when it has not within `timeout` seconds."""
        if self._process is None or not self.alive:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """kill -9, and waits until the process is gone."""
        if self._process is not None and self.alive:
            self._process.kill()
            self._process.wait()

    def wipe(self) -> None:
        """Throws its data away; the next start begins with nothing. Raises RuntimeError while it runs."""
        if self.alive:
            raise RuntimeError(f"{self.name} runs: stop it before its data is thrown away")
        shutil.rmtree(self.data, ignore_errors=True)

    def _until_it_answers(self, deadline: float) -> bool:
        while self.alive and time.monotonic() < deadline:
            if self.answers():
                return True
            time.sleep(0.05)
        return False


def tail(log: Path, lines: int = 3) -> str:
    """The last lines of a log, for an error message."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(no log)"
    return " / ".join(text.strip().splitlines()[-lines:]) or "(an empty log)"
