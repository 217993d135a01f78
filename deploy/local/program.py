"""What the stack is made of: programs, each with a command, its ports, and a way to ask whether it is ready."""

from __future__ import annotations

import http.client
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from deploy.local.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class Program:
    """One process that the manager keeps up."""

    name: str
    command: list[str]
    ready: Callable[[], bool]
    """Asks whether it can work now; answers within a second or two, and never raises."""
    address: str
    """Where it is, for people and for `status`."""
    ports: Mapping[str, int] = field(default_factory=dict)
    """Each port it listens on, by the setting that moves it."""
    host: str = LOOPBACK
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: int = 15
    """After that long it is killed."""

    @property
    def port(self) -> int | None:
        """The first of its ports."""
        return next(iter(self.ports.values()), None)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A server that the settings name, so that none of our own is started in its place."""

    name: str
    address: str
    ready: Callable[[], bool]


def listens(address: str) -> bool:
    """Whether somebody takes connections at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except (OSError, ValueError):
        return False
    return True


def answers_ok(port: int, path: str = "/health/ready", host: str = LOOPBACK) -> bool:
    """Whether a GET is answered with 200."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
