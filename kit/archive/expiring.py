"""An archive that is old enough is deleted, a day's files at a time."""

import re
from datetime import date
from pathlib import Path
from typing import Final

from kit import logs
from kit.archive import shelf
from kit.archive.shelf import DATA, INDEX

DAY: Final = re.compile(r"-(\d{4}-\d\d-\d\d)\.")

log = logs.get(__name__)


def expire(folder: Path, before: date) -> int:
    """Deletes what was archived on days before this one, with what was moved aside of them; of how many days. The index
    goes first: what a crash leaves is data that nobody finds, and the next run takes. Raises OSError.

    Blocks: run it in a thread.
    """
    if not folder.is_dir():
        return 0
    with shelf.locked(folder):
        old = [path for path in folder.iterdir() if (day := _day_of(path)) and day < before]
        for path in sorted(old, key=lambda path: not path.name.endswith(INDEX)):
            path.unlink()
        shelf.settle(folder)
    days = {_day_of(path) for path in old}
    if days:
        log.info("archives_deleted", folder=str(folder), days=len(days), before=before.isoformat())
    return len(days)


def _day_of(path: Path) -> date | None:
    """None for what is no file of an archive."""
    found = DAY.search(path.name) if path.name.endswith((INDEX, DATA)) else None
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None
