"""The files of the repository, as a reader of it gets them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
MADE_BY_US: Final = {".venv", ".git", ".tocsin", "logs", "build", "dist", "__pycache__", "node_modules"}


def files() -> list[Path]:
    """Every file that is committed or could be, relative to the root."""
    known = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    listed = known.stdout.split("\0") if known.returncode == 0 else [str(path) for path in _walk(ROOT)]
    return sorted(Path(name) for name in listed if name and (ROOT / name).is_file())


def texts() -> Iterator[tuple[Path, str]]:
    """The files that hold text, with it."""
    for path in files():
        content = (ROOT / path).read_bytes()
        if b"\0" not in content[:8192]:
            yield path, content.decode("utf-8", "replace")


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and path.name not in MADE_BY_US and not path.name.endswith((".egg-info", "_cache")):
            yield from _walk(path)
        elif path.is_file():
            yield path.relative_to(ROOT)
