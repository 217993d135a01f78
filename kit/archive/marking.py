"""A folder of archives has a name of its own, by which those who write there see whether they write to the same one."""

from pathlib import Path
from typing import Final
from uuid import uuid4

from kit.archive import shelf

MARK: Final = ".folder"


def mark_of(folder: Path) -> str:
    """The folder's name, drawn by whoever comes first. Raises OSError where nobody may write there.

    Blocks: run it in a thread.
    """
    with shelf.locked(folder):
        try:
            written = (folder / MARK).read_text().strip()
        except FileNotFoundError:
            written = ""
        if not written:
            written = str(uuid4())
            shelf.put(folder / MARK, f"{written}\n".encode(), 0)
            shelf.settle(folder)
        return written
