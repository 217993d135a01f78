"""Where one stack keeps what: its state, its logs, and the locks by which its programs are known."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

# What a unix socket's path may have on macOS, the strictest, less the process id that supervisor appends for a moment.
LONGEST_SOCKET_PATH = 103 - 8
MANAGER = "manager"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one stack; `root` is where its programs run."""

    root: Path
    state: Path
    logs: Path

    @property
    def run(self) -> Path:
        """What only matters while it runs."""
        return self.state / "run"

    @property
    def book(self) -> Path:
        return self.run / "programs.json"

    def record(self, name: str) -> Path:
        """The lock that the program of that name holds while it lives."""
        return self.run / f"{name}.lock"

    def log(self, name: str) -> Path:
        """What the program of that name prints."""
        return self.logs / f"{name}.log"

    @property
    def socket(self) -> Path:
        """The manager's: below the state folder, or, where that makes too long a path, in the temporary folder."""
        near = self.run / "manager.sock"
        if len(os.fsencode(near)) <= LONGEST_SOCKET_PATH:
            return near
        name = hashlib.sha256(os.fsencode(near)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"tocsin-{os.getuid()}-{name}" / near.name
