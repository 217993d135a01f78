"""Finding in an archive what is not in the tables any more."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from contracts.erasure import Forget
from kit.archive import shelf
from kit.archive.records import Record, Wanted, created_at, is_about, words_about
from kit.archive.shelf import Volume

Looked = Callable[[int, int], None]


def search(folder: Path, wanted: Wanted, most: int, looked: Looked = lambda done, total: None) -> list[Record]:
    """At most so many, the one that was archived last first; each once, as it was archived last, though a crash may
    have archived it twice. `looked` hears after each file how many of how many. Raises ValueError for one that is
    damaged."""
    return list(islice(_once(folder, wanted, looked), most))


def about(folder: Path, who: Forget) -> tuple[list[Record], list[str]]:
    """All about one person, each once, as it was archived last; and the days whose files are damaged.

    Blocks for as long as it takes: run it in a thread.
    """
    found: dict[str, Record] = {}
    damaged: list[str] = []
    for name in shelf.names(folder):
        try:
            found |= {one["id"]: one for one in _about(folder, name, who)}
        except (FileNotFoundError, ValueError):
            damaged.append(name)
    return list(found.values()), damaged


def _about(folder: Path, name: str, who: Forget) -> list[Record]:
    def look() -> list[Record]:
        volume, words = shelf.volume(folder, name), words_about(who)
        theirs = (part for part in volume.parts if any(map(part.has, words)))
        return [one for part in theirs for one in shelf.read(volume, part) if is_about(one, who)]

    try:
        return look()
    except FileNotFoundError:
        return look()  # rewritten under our eyes: its index names another file by now


def _once(folder: Path, wanted: Wanted, looked: Looked) -> Iterator[Record]:
    seen = set[str]()
    volumes = shelf.volumes(folder)
    for done, volume in enumerate(reversed(volumes), 1):
        for record in _of(folder, volume, wanted):
            if record["id"] not in seen:
                seen.add(record["id"])
                yield record
        looked(done, len(volumes))


def _of(folder: Path, volume: Volume, wanted: Wanted) -> Iterator[Record]:
    try:
        yield from _found(volume, wanted)
    except FileNotFoundError:
        # It was rewritten under our eyes: its index names another file by now.
        yield from _found(shelf.volume(folder, volume.name), wanted)


def _found(volume: Volume, wanted: Wanted) -> Iterator[Record]:
    words = wanted.words
    for part in reversed(volume.parts):
        if wanted.covers(part.first, part.last) and all(map(part.has, words)):
            found = filter(wanted.is_met_by, shelf.read(volume, part))
            yield from sorted(found, key=created_at, reverse=True)
