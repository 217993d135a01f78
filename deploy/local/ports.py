"""Which ports of the loopback address are free."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the range from which systems take the ports of outgoing connections: a client that keeps trying a dead
# server's port inside that range can connect to itself, and the server then never gets its port back.
FREE_FROM, FREE_TO = 20000, 32000


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
    """A port nobody listens on now, drawn at random so that sessions side by side rarely meet."""
    for _ in range(1000):
        port = random.randrange(FREE_FROM, FREE_TO)
        if not taken(port, host):
            return port
    raise OSError(f"no free port between {FREE_FROM} and {FREE_TO}")
