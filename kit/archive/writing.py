"""A part is added to the file of a day, or none of it is."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from kit.archive import shelf
from kit.archive.records import Record
from kit.archive.shelf import INDEX, Part
from kit.failpoints import failpoint


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
        content = shelf.packed(records)
        shelf.put(folder / there.data, content, there.end)
        failpoint("archive_after_data")
        told = shelf.line(Part.of(there.end, len(content), records))
        if not there.index_bytes:
            told = shelf.head(there.data) + told
        shelf.put(folder / f"{name}{INDEX}", told, there.index_bytes)
        shelf.settle(folder)
