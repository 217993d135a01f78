"""Tiny programs that stand in for services where only the stack's mechanics are tried.

`python -m tests.deploy.programs PORT` answers every request with 200; `... FILE` appends a line there and ends.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from deploy.local.program import Program, answers_ok

COMMAND = [sys.executable, "-m", "tests.deploy.programs"]


def stand_in(name: str, port: int) -> Program:
    """A program of the stack that listens and does nothing else."""
    return Program(
        name,
        [*COMMAND, str(port)],
        ready=lambda: answers_ok(port),
        address=f"127.0.0.1:{port}",
        ports={f"{name.upper()}_PORT": port},
        stop_seconds=3,
    )


class Silent:
    """A teller that remembers what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def progress(self, text: str, done: int, total: int) -> None:
        self.said.append(f"{text}: {done} of {total}")


class Ready(BaseHTTPRequestHandler):
    """Answers every GET with 200."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def main() -> None:
    given = sys.argv[1]
    if given.isdigit():
        HTTPServer(("127.0.0.1", int(given)), Ready).serve_forever()
    with Path(given).open("a") as file:
        file.write("started\n")
    sys.exit("nothing to do here")


if __name__ == "__main__":
    main()
