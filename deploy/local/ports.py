"""Which ports of the loopback address are free."""

from __future__ import annotations

import os
import random
import socket
import tempfile
import time
from pathlib import Path
from typing import Final

LOOPBACK = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections: a client that keeps trying a dead
# server's port inside that range can connect to itself, and the server then never gets its port back.
FREE_FROM, FREE_TO = 20000, 32000
PROMISED_SECONDS: Final = 600
"""How long a port that was drawn is given to nobody else: whoever drew it may listen only much later."""


def taken(port: int, host: str = LOOPBACK) -> bool:
    """Whether somebody listens on the port (one that a closed connection still remembers counts as free)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


def free_port(host: str = LOOPBACK) -> int:
    """A port nobody listens on, and that no other process of this user has drawn within PROMISED_SECONDS."""
    promises = Path(tempfile.gettempdir()) / f"tocsin-ports-{os.getuid()}"
    promises.mkdir(mode=0o700, exist_ok=True)
    for _ in range(1000):
        port = random.randrange(FREE_FROM, FREE_TO)
        if _promised(promises / str(port)) and not taken(port, host):
            return port
    raise OSError(f"no free port between {FREE_FROM} and {FREE_TO}")


def _promised(promise: Path) -> bool:
    """Whether it is ours now: a port's file is made by one process only, and an old one binds nobody."""
    try:
        if time.time() - promise.stat().st_mtime < PROMISED_SECONDS:
            return False
        promise.unlink()
    except FileNotFoundError:
        pass
    try:
        promise.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
