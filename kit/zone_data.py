"""Which edition of the time zone database is in force in this process: what was computed by another may be stale."""

import zoneinfo
from functools import cache
from pathlib import Path

import tzdata  # type: ignore[import-untyped]


@cache
def edition() -> str:
    """Such as "2025b": of the folder that `zoneinfo` reads, or of the package `tzdata` where there is none; "unknown"
    where the folder does not say."""
    folder = next((place for place in map(Path, zoneinfo.TZPATH) if (place / "Europe" / "Paris").is_file()), None)
    return tzdata.IANA_VERSION if folder is None else _written_in(folder)


def _written_in(folder: Path) -> str:
    for name in ("tzdata.zi", "+VERSION"):
        try:
            with (folder / name).open(encoding="utf-8") as file:
                return file.readline().removeprefix("# version").strip() or "unknown"
        except OSError:
            continue
    return "unknown"
