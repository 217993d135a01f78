"""Ends what a test session started, even when the session itself was killed: it watches the session's end of a pipe.

Run by `tests/servers.py` as a process of its own. Lines on its standard input: `process PID SIGNAL`, `folder PATH`.
"""

import shutil
import signal
import sys
from contextlib import suppress

import psutil


def main() -> None:
    processes: list[tuple[psutil.Process, int]] = []
    folders: list[str] = []
    for line in sys.stdin:
        kind, *values = line.rstrip("\n").split(" ", 2)
        if kind == "folder":
            folders.append(" ".join(values))
        else:
            with suppress(psutil.NoSuchProcess):
                # psutil remembers when the process began: a successor with the same number is left alone.
                processes.append((psutil.Process(int(values[0])), int(values[1])))
    living = [(process, number) for process, number in processes if _lives(process)]
    for process, number in living:
        _send(process, number)
    _, stubborn = psutil.wait_procs([process for process, _ in living], timeout=5)
    for process in stubborn:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=5)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _send(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


if __name__ == "__main__":
    main()
