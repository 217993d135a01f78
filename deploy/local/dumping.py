"""pg_dump and pg_restore, of the version that the database wants."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from deploy.local.postgres import binaries
from deploy.local.trouble import Trouble

Heard = Callable[[str, int], None]
"""Hears what is begun now, and how many such were begun before it."""

_DUMPED: Final = re.compile(r'^pg_dump: dumping contents of table "(.+)"')
_RESTORED: Final = re.compile(r"^pg_restore: (?:creating|processing data for|executing(?= SEQUENCE)) (.+)")
_REMEDIES: Final = {
    "version": "its version must not be older than that of the database",
    "connection to server": "look at DATABASE_URL, and whether the database runs",
    "No space left": "make room, then say it again",
}
_OTHERWISE: Final = "mend that, then say it again"


def dump(url: str, schemas: Sequence[str], file: Path, heard: Heard) -> None:
    """All of these schemas as they are at one moment, while everything goes on; `heard` is told of each table. Raises
    Trouble."""
    named = [f"--schema={schema}" for schema in schemas]
    _run("pg_dump", "--format=custom", f"--file={file}", *named, url, step=_DUMPED, heard=heard)


def restore(url: str, file: Path, heard: Heard) -> None:
    """All that is in there, or nothing; `heard` is told of each of its entries. Raises Trouble."""
    _run(
        "pg_restore",
        "--single-transaction",
        "--exit-on-error",
        f"--dbname={url}",
        str(file),
        step=_RESTORED,
        heard=heard,
    )


def entries(file: Path) -> int:
    """How many things there are in a dump. Raises Trouble where it is none, or of a pg_dump newer than this."""
    command = [_found("pg_restore"), "--list", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=_english(), check=False)
    if done.returncode:
        raise _failed("pg_restore", done.stderr.splitlines(), done.returncode)
    return sum(1 for line in done.stdout.splitlines() if line and not line.startswith(";"))


def _run(program: str, *arguments: str, step: re.Pattern[str], heard: Heard) -> None:
    command, begun = [_found(program), "--verbose", *arguments], 0
    said: deque[str] = deque(maxlen=20)
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", env=_english()
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if found := step.match(line):
                with suppress(OSError):  # nobody looks any more: what is under way goes on all the same
                    heard(found[1], begun)
                begun += 1
            said.append(line.strip())
    if process.returncode:
        raise _failed(program, said, process.returncode)


def _english() -> dict[str, str]:
    """What the programs say is read here."""
    return os.environ | {"LC_ALL": "C"}


def _failed(program: str, said: Sequence[str], code: int) -> Trouble:
    """The first line that speaks of an error: behind it stands the statement that was at work."""
    mark = f"{program}: error: "
    first = next((line for line in said if line.startswith(mark)), f"{mark}exit code {code}").removeprefix(mark)
    remedy = next((remedy for words, remedy in _REMEDIES.items() if words in first), _OTHERWISE)
    return Trouble(f"{program} failed: {first}", remedy)


def _found(program: str) -> str:
    """The one that comes along with the embedded server, which is as new as any; else whatever the machine has."""
    for folder in (_embedded(), None):
        if found := shutil.which(program, path=folder):
            return found
    raise Trouble(f"{program} is not there", "install PostgreSQL's client programs (postgresql-client)")


def _embedded() -> str:
    try:
        return str(binaries())
    except Trouble:
        return ""
