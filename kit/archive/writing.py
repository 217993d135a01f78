"""A part is added to the file of a day, or none of it is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import count
from pathlib import Path

from kit import logs
from kit.archive import shelf
from kit.archive.records import Record
from kit.archive.shelf import DATA, INDEX, Part, Volume
from kit.failpoints import failpoint

log = logs.get(__name__)


def name_of(service: str, day: date) -> str:
    """The name of a day's file."""
    return f"{service}-{day.isoformat()}"


def append(folder: Path, name: str, records: Sequence[Record]) -> None:
    """Adds these records; when it comes back, the disk has them. Killed anywhere, it has added all or nothing: what the
    index does not name is written over by the next part. Raises OSError, such as for a disk that is full.

    Blocks for some milliseconds: run it in a thread.
    """
    with shelf.locked(folder):
        there = shelf.volume(folder, name)
        if not there.index_bytes:
            there = _begun(there)
        content = shelf.packed(records)
        shelf.put(folder / there.data, content, there.end)
        failpoint("archive_after_data")
        told = shelf.line(Part.of(there.end, len(content), records))
        shelf.put(folder / f"{name}{INDEX}", told, there.index_bytes)
        shelf.settle(folder)


def _begun(there: Volume) -> Volume:
    """With the first line of its index, which is on the disk before any data: so data without it are not what a crash
    left of a first part, but a day whose index was lost. They are moved aside."""
    lost = [path for path in there.folder.glob(f"{there.name}*{DATA}") if shelf.name_of(path.name) == there.name]
    for path in filter(_has_content, lost):
        aside = _free(path)
        path.rename(aside)
        log.warning("archive_moved_aside", folder=str(there.folder), file=path.name, to=aside.name)
    head = shelf.head(there.data)
    shelf.put(there.folder / f"{there.name}{INDEX}", head, 0)
    shelf.settle(there.folder)
    return replace(there, index_bytes=len(head))


def _has_content(path: Path) -> bool:
    return path.stat().st_size > 0


def _free(path: Path) -> Path:
    """A name beside it that nothing has yet."""
    stem = path.name.removesuffix(DATA)
    return next(one for n in count(1) if not (one := path.with_name(f"{stem}.aside{n}{DATA}")).exists())
