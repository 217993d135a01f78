"""What the disk takes for a write that is to last, while something else is measured on it."""

import os
import time
from pathlib import Path
from threading import Event, Thread
from typing import Final, Self

EVERY: Final = 0.1
PAGE: Final = bytes(8192)
"""What PostgreSQL writes at least."""


class Disk:
    """`with Disk(folder) as disk:` writes a page ten times a second; `took` is how long each lasted, in seconds."""

    def __init__(self, folder: Path) -> None:
        self.took: list[float] = []
        self._path = folder / "disk"
        self._end = Event()
        self._thread = Thread(target=self._write_on)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _write_on(self) -> None:
        with self._path.open("wb", buffering=0) as file:
            while not self._end.wait(EVERY):
                begun = time.perf_counter()
                file.write(PAGE)
                os.fdatasync(file.fileno())
                self.took.append(time.perf_counter() - begun)
