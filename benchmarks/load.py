"""Asks one address again and again over a few connections, as quickly as it answers: `python -m benchmarks.load`.

A process of its own, so that its work is nobody else's; it prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import uvloop

PATIENCE: Final = 60.0
EXPECTED: Final = b"HTTP/1.1 202"


@dataclass(slots=True)
class Run:
    """What is asked, how often it still is, and what was answered otherwise than with 202."""

    request: bytes
    left: int
    open: int
    wrong: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Connection(asyncio.Protocol):
    """Keeps alive; sends the next request when the last one is answered in whole."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._answer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        if not head.startswith(EXPECTED):
            self._run.wrong.append(self._answer.decode(errors="replace")[:300])
        self._answer = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        self._run.open -= 1
        if not self._run.open:
            self._run.over.set()

    def _next(self) -> None:
        if self._run.left:
            self._run.left -= 1
            self._transport.write(self._run.request)
        else:
            self._transport.close()


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0])


def request(path: str, token: str, body: bytes) -> bytes:
    """A POST as it goes over the wire."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def load(port: int, asked: bytes, requests: int, connections: int) -> dict[str, object]:
    """Seconds from the first request to the last answer, and what was not answered with 202."""
    run = Run(asked, requests, connections)
    begun = time.monotonic()
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(run), "127.0.0.1", port)
    async with asyncio.timeout(PATIENCE):
        await run.over.wait()
    return {"seconds": time.monotonic() - begun, "wrong": len(run.wrong), "first_wrong": run.wrong[:1]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--requests", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    given = parser.parse_args()
    asked = request(given.path, given.token, given.body.read_bytes())
    print(json.dumps(uvloop.run(load(given.port, asked, given.requests, given.connections))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
