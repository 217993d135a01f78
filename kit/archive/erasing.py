"""Who is forgotten is forgotten in the archive, too: files that hold the person are written anew without contents."""

from collections.abc import Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from contracts.erasure import Forget
from kit import logs
from kit.archive import shelf
from kit.archive.records import Record, forgotten, is_about, words_about
from kit.archive.shelf import DATA, INDEX, Part, Volume
from kit.failpoints import failpoint

NEW: Final = ".new"

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Erased:
    """How many records were blanked, in how many files."""

    records: int
    files: int


def erase(folder: Path, who: Forget) -> Erased:
    """Blanks what is about this person, a file after the other. A file comes into force with its index, and the one
    before it is deleted; what a crash left of either is swept out here. Raises ValueError for files that are damaged,
    once all others are done, and OSError where a new one does not fit: nothing is lost then, and it may be asked for
    again.

    Blocks for as long as it takes: run it in a thread.
    """
    if not folder.is_dir():
        return Erased(0, 0)
    with shelf.locked(folder):
        done, damaged = Erased(0, 0), list[Exception]()
        for name in shelf.names(folder):
            try:
                blanked = _erase_from(shelf.volume(folder, name), who)
                done = Erased(done.records + blanked, done.files + bool(blanked))
            except (FileNotFoundError, ValueError) as error:
                damaged.append(error)
        _sweep_out(folder)
    if damaged:
        raise ValueError("; ".join(map(str, damaged)))
    return done


def _erase_from(volume: Volume, who: Forget) -> int:
    """How many records of this file were blanked. No more than a part is ever in memory."""
    words = words_about(who)
    suspected = [part for part in volume.parts if any(map(part.has, words))]
    theirs = {part: n for part in suspected if (n := sum(_is_to_go(one, who) for one in shelf.read(volume, part)))}
    if theirs:
        _replace(volume, frozenset(theirs), who)
    return sum(theirs.values())


def _is_to_go(record: Record, who: Forget) -> bool:
    return is_about(record, who) and not record.get("forgotten")


def _replace(volume: Volume, theirs: Set[Part], who: Forget) -> None:
    """A new file with these parts blanked and all others as they are."""
    folder, data = volume.folder, _next_name(volume)
    index = [shelf.head(data)]
    with shelf.fresh(folder / data) as file:
        for part in volume.parts:
            moved, content = _blanked(volume, part, who) if part in theirs else (part, shelf.raw(volume, part))
            index.append(shelf.line(replace(moved, offset=file.tell(), length=len(content))))
            file.write(content)
    waiting = folder / f"{volume.name}{NEW}"
    with shelf.fresh(waiting) as file:
        file.writelines(index)
    failpoint("archive_before_replace")
    waiting.rename(folder / f"{volume.name}{INDEX}")
    shelf.settle(folder)
    failpoint("archive_after_replace")
    (folder / volume.data).unlink()


def _blanked(volume: Volume, part: Part, who: Forget) -> tuple[Part, bytes]:
    records = [forgotten(one) if _is_to_go(one, who) else one for one in shelf.read(volume, part)]
    content = shelf.packed(records)
    return Part.of(0, len(content), records), content


def _next_name(volume: Volume) -> str:
    """gateway-2027-03-01.jsonl.gz, then gateway-2027-03-01.2.jsonl.gz, and so on."""
    number = volume.data.removeprefix(volume.name).removesuffix(DATA).lstrip(".")
    return f"{volume.name}.{int(number or 1) + 1}{DATA}"


def _sweep_out(folder: Path) -> None:
    """Files with data in whose place others have come, and indexes that never came into force. Data whose index is
    gone or damaged stay: they may be all that there is."""
    named = dict(_named(folder))
    for path in folder.iterdir():
        if path.name.endswith(NEW):
            path.unlink()
        elif path.name.endswith(DATA):
            data = named.get(shelf.name_of(path.name))
            if data is None:
                log.warning("archive_without_index", file=path.name)
            elif path.name != data:
                path.unlink()
    shelf.settle(folder)


def _named(folder: Path) -> Iterator[tuple[str, str]]:
    for name in shelf.names(folder):
        with suppress(ValueError):
            volume = shelf.volume(folder, name)
            if volume.index_bytes and (folder / volume.data).exists():
                yield name, volume.data
