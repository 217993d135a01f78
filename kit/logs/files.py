"""A file several processes append whole lines to, and pass on to `.1`, `.2`, ... when it is full."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LARGEST: Final = 20 * 1024 * 1024
KEPT: Final = 5


class SharedFile:
    """Each line is one `write` in append mode, which the system does not mix with another process's.

    Whoever finds the file full takes the lock, looks again, and renames; the others see by its inode that their file
    has moved and open the new one. A line written in between is in the renamed file: none is lost, none is torn.
    """

    def __init__(self, path: Path, *, largest: int = LARGEST, kept: int = KEPT) -> None:
        self.path = path
        self.largest = largest
        self.kept = kept
        self._descriptor: int | None = None
        self._torn = False

    def write(self, line: bytes) -> None:
        """Append one line, or several at once, that end in line breaks. Raises OSError when the disk does not take
        them; after one of which it took a part, the next begins on a line of its own."""
        if self._full(len(line)):
            self._rotate(len(line))
        line = b"\n" + line if self._torn else line
        written = os.write(self._current(), line)
        self._torn = 0 < written < len(line)
        if written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def touch(self) -> None:
        """Makes it, if it is not there. Raises OSError where it could not be written."""
        self._current()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _current(self) -> int:
        """The open file, opened anew when another process renamed it or someone took it away."""
        if self._descriptor is not None and self._moved(self._descriptor):
            self.close()
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        return self._descriptor

    def _moved(self, descriptor: int) -> bool:
        try:
            return not os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return True

    def _full(self, more: int) -> bool:
        try:
            size = os.stat(self.path).st_size
        except FileNotFoundError:
            return False
        return size > 0 and size + more > self.largest

    def _rotate(self, more: int) -> None:
        with self._alone():
            if not self._full(more):
                return
            for number in range(self.kept - 1, 0, -1):
                _rename(self._numbered(number), self._numbered(number + 1))
            _rename(self.path, self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _rename(file: Path, to: Path) -> None:
    if file.exists():
        file.replace(to)
