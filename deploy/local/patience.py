"""How long a start waits, and what it says when it waits no longer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from deploy.local.manager import Manager
from deploy.local.server import tail
from deploy.local.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Limits:
    """What a start puts up with."""

    ready_seconds: float = 180.0
    broken_seconds: float = 15.0
    """A program that does nothing but start and end is given up (by us, not by the manager) after this long."""
    room_bytes: int = 500 * 2**20
    """Free disk space."""


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
            log = self._manager.places.log(name)
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
