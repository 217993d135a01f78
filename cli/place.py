"""Which installation a command speaks about."""

from __future__ import annotations

from pathlib import Path

MARK = Path("config/notifications.yml")


def root() -> Path:
    """The nearest folder from here upwards that has the settings file; without one, where we are."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / MARK).is_file()), here)
