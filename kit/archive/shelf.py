"""The folder of an archive: which files there are, which parts each has, and what is in a part.

A day's file is a row of gzip members, one per part, so that `zcat` reads all of it. Beside it lies its index, a JSON
line per part behind a first one that names the file. What the index does not name is not there: a part is written
before its line, and a file that takes the place of another comes into force with its index.
"""

import fcntl
import gzip
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic_core import from_json, to_json

from kit.archive.records import WORD_BYTES, Record, parts_of

INDEX: Final = ".index"
DATA: Final = ".jsonl.gz"
PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Part:
    """Records that were written together: where they are, when they were accepted, and all that they are found by."""

    offset: int
    length: int
    records: int
    first: datetime
    last: datetime
    words: bytes

    @property
    def end(self) -> int:
        return self.offset + self.length

    def has(self, word: bytes) -> bool:
        """Whether a record with that word may be in it."""
        at = self.words.find(word)
        while at % WORD_BYTES and at != -1:
            at = self.words.find(word, at + 1)
        return at != -1

    @classmethod
    def of(cls, offset: int, length: int, records: Sequence[Record]) -> "Part":
        return cls(offset, length, len(records), *parts_of(records))


@dataclass(frozen=True, slots=True)
class Volume:
    """One day's file as its index tells it: the name of both, the file with the data, and the parts in it."""

    folder: Path
    name: str
    data: str
    parts: tuple[Part, ...] = ()
    index_bytes: int = 0
    """As much of the index as is whole; what lies behind it was cut off by a crash."""

    @property
    def end(self) -> int:
        """As much of the data as the index knows of."""
        return self.parts[-1].end if self.parts else 0

    @property
    def records(self) -> int:
        return sum(part.records for part in self.parts)


def names(folder: Path) -> list[str]:
    """Of all volumes that are there, the oldest first."""
    return [path.name.removesuffix(INDEX) for path in sorted(folder.glob(f"*{INDEX}"))]


def volumes(folder: Path) -> list[Volume]:
    """All of them. Raises ValueError for an index that is none."""
    return [volume(folder, name) for name in names(folder)]


def name_of(data: str) -> str:
    """The volume that a file with data belongs to: "gateway-2027-03-01.2.jsonl.gz" to "gateway-2027-03-01"."""
    name, _, generation = data.removesuffix(DATA).rpartition(".")
    return name if generation.isdigit() and name else data.removesuffix(DATA)


def volume(folder: Path, name: str) -> Volume:
    """The one of this name, empty where there is none yet. Raises ValueError for an index that is none."""
    try:
        written = (folder / f"{name}{INDEX}").read_bytes()
    except FileNotFoundError:
        return Volume(folder, name, f"{name}{DATA}")
    whole = written[: written.rfind(b"\n") + 1]
    if not whole:
        return Volume(folder, name, f"{name}{DATA}")
    try:
        head, *lines = map(from_json, whole.splitlines())
        return Volume(folder, name, head["data"], tuple(map(_part, lines)), len(whole))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / name}{INDEX} is no index of an archive: {error}") from None


def read(volume: Volume, part: Part) -> list[Record]:
    """The records of a part. Raises ValueError where the data are not what was written."""
    try:
        return [from_json(line) for line in gzip.decompress(raw(volume, part)).splitlines()]
    except FileNotFoundError:
        raise
    except (EOFError, OSError, ValueError) as error:
        raise ValueError(f"{volume.folder / volume.data}, byte {part.offset}: {error}") from None


def raw(volume: Volume, part: Part) -> bytes:
    """A part as it stands in the file."""
    with (volume.folder / volume.data).open("rb") as file:
        file.seek(part.offset)
        return file.read(part.length)


def packed(records: Iterable[Record]) -> bytes:
    """These records as a part."""
    return gzip.compress(b"".join(to_json(record) + b"\n" for record in records), compresslevel=6, mtime=0)


def head(data: str) -> bytes:
    """The first line of an index."""
    return to_json({"data": data}) + b"\n"


def line(part: Part) -> bytes:
    """The line of a part."""
    told: dict[str, Any] = {"offset": part.offset, "length": part.length, "records": part.records}
    told |= {"first": part.first, "last": part.last, "words": b64encode(part.words).decode()}
    return to_json(told) + b"\n"


def _part(told: Any) -> Part:
    first, last = datetime.fromisoformat(told["first"]), datetime.fromisoformat(told["last"])
    return Part(told["offset"], told["length"], told["records"], first, last, b64decode(told["words"]))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Whoever writes here is alone with it, also where two machines share the folder and the database lost count."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def put(path: Path, content: bytes, at: int) -> None:
    """Writes at this place what then is the end of the file, and comes back when the disk has it. Raises OSError where
    it does not fit."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, PRIVATE)
    try:
        os.ftruncate(descriptor, at)
        os.lseek(descriptor, at, os.SEEK_SET)
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def fresh(path: Path) -> Iterator[BinaryIO]:
    """A new file in the place of whatever is there; at the end the disk has it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with open(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(descriptor)


def settle(folder: Path) -> None:
    """What was made or renamed in the folder is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
