"""pg_dump and pg_restore, of the version that the database wants."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from deploy.local.postgres import binaries
from deploy.local.trouble import Trouble


def dump(url: str, schemas: Sequence[str], file: Path) -> None:
    """All of these schemas as they are at one moment, while everything goes on. Raises Trouble."""
    named = [f"--schema={schema}" for schema in schemas]
    _run("pg_dump", "--format=custom", f"--file={file}", *named, url)


def restore(url: str, file: Path) -> None:
    """All that is in there, or nothing. Raises Trouble."""
    _run("pg_restore", "--single-transaction", "--exit-on-error", f"--dbname={url}", str(file))


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run([_found(program), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise Trouble(f"{program} failed: {said[0]}", "its version must not be older than that of the database")


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
