"""What was started, written down, so that it can be ended whatever the settings say by then."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.local.program import Program
from deploy.local.supervisor_conf import SERVERS, SERVICES


class Book:
    """The programs of the last start, in a file below the state folder."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def write(self, servers: Sequence[Program], services: Sequence[Program]) -> None:
        """Writes it whole or not at all."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps(_pages(servers, services), indent=1), encoding="utf-8")
        draft.replace(self._file)

    def read(self) -> dict[str, list[dict[str, Any]]]:
        """What was written last: the programs of each group; nothing when there was no start yet."""
        try:
            return dict(json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}

    def names(self) -> list[str]:
        """All programs in it."""
        return [page["name"] for pages in self.read().values() for page in pages]

    def describes(self, servers: Sequence[Program], services: Sequence[Program]) -> bool:
        """Whether exactly these programs are in it."""
        return self.read() == _pages(servers, services)


def _pages(servers: Sequence[Program], services: Sequence[Program]) -> dict[str, list[dict[str, Any]]]:
    groups = {SERVICES: services, SERVERS: servers}
    return {
        group: [
            {
                "name": program.name,
                "command": program.command,
                "ports": dict(program.ports),
                "stop_signal": int(program.stop_signal),
                "stop_seconds": program.stop_seconds,
            }
            for program in programs
        ]
        for group, programs in groups.items()
    }
