"""Runs one program of the stack under a lock that the kernel keeps for exactly as long as the program lives.

`python -m deploy.local.launch RECORD COMMAND...` becomes the command. Whoever wants to know whether it lives asks
`holder`: no process id that was given to somebody else meanwhile can deceive it. A program that a killed process
manager left behind keeps its lock, so its successor waits here until it ends: nothing runs twice.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

# Process managers close what they inherit from 5 on; this one stays open, and no program of ours uses it.
KEPT = 3


def hold(record: Path) -> None:
    """Takes the lock, waiting for whoever has it, and writes our process id beside it."""
    descriptor = os.open(record, os.O_RDWR | os.O_CREAT, 0o600)
    if descriptor != KEPT:
        os.dup2(descriptor, KEPT)
        os.close(descriptor)
    fcntl.flock(KEPT, fcntl.LOCK_EX)
    os.ftruncate(KEPT, 0)
    os.pwrite(KEPT, str(os.getpid()).encode(), 0)
    os.set_inheritable(KEPT, True)


def holder(record: Path) -> int | None:
    """The process id of the living program, or None."""
    try:
        with record.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
            return None
    except FileNotFoundError:
        return None


def send(record: Path, number: signal.Signals, *, group: bool = False) -> None:
    """Signals the program that holds this lock (with `group`, its whole process group), if it lives."""
    pid = holder(record)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        os.killpg(pid, number) if group else os.kill(pid, number)


def until_gone(records: Collection[Path], timeout: float) -> bool:
    """Waits until nobody holds any of these locks; False when somebody still does after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while any(holder(record) is not None for record in records):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def main() -> None:
    record, *command = sys.argv[1:]
    hold(Path(record))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
