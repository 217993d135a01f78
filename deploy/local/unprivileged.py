"""Who PostgreSQL runs as when root starts it, and what that user must be let through."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from deploy.local.trouble import Trouble

NAME = "pgserver"
TRIES = 20


def identity(data: Path) -> tuple[int, int] | tuple[None, None]:
    """User and group to become; None, None for who is not root. The owner of existing data stays its owner."""
    if os.geteuid() != 0:
        return None, None
    with suppress(FileNotFoundError):
        owner = data.stat()
        if owner.st_uid != 0:
            return owner.st_uid, owner.st_gid
    entry = _made(NAME) or _known("nobody")
    if entry is None:
        raise Trouble("PostgreSQL does not run as root", f"add a user called {NAME}, or start as another user")
    return entry.pw_uid, entry.pw_gid


def let_through(path: Path) -> None:
    """Lets every user walk through the folders above `path` (not list them)."""
    for folder in path.parents:
        _add(folder, stat.S_IXOTH)


def let_read(folder: Path) -> None:
    """Lets every user read and run what is in `folder` (it came with a strict umask)."""
    for parent, _, files in os.walk(folder):
        _add(Path(parent), stat.S_IXOTH | stat.S_IROTH)
        for file in files:
            path = Path(parent, file)
            _add(path, stat.S_IROTH | (stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0))


def _add(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)


def _made(name: str) -> pwd.struct_passwd | None:
    """The user of that name, made if need be; a session beside us may be making it just now."""
    for _ in range(TRIES):
        if entry := _known(name):
            return entry
        try:
            subprocess.run(["useradd", "--system", name], capture_output=True)
        except OSError:
            return None  # no useradd here
        time.sleep(0.05)
    return _known(name)


def _known(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
