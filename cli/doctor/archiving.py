"""Is there a place for what is cleaned up: may it be written, and has it room?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cli.doctor.finding import Finding, note, trouble, well
from kit.settings import Settings

CHECKS: Final = ("archive",)
LEAST_FREE: Final = 256 * 2**20
"""Bytes: a night's clean-up of a million mails, at some 210 bytes each."""

Usage = Callable[[Path], tuple[int, int, int]]
May = Callable[[Path, int], bool]


async def archiving(settings: Settings) -> list[Finding]:
    """The one folder, as this machine and this user see it."""
    return [archive(settings)]


def archive(settings: Settings, usage: Usage = shutil.disk_usage, may: May = os.access) -> Finding:
    """Where it cannot be written nothing is deleted, and the tables grow."""
    folder = settings.archive_dir
    if not settings.cleanup.enabled:
        return note("archive", "nothing is cleaned up (cleanup.enabled is false): the tables grow for ever")
    if not settings.cleanup.archive_before_delete:
        return well("archive", "none is kept: what is cleaned up is gone (archive_before_delete is false)")
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        return trouble("archive", f"{there} is no folder", "move it away, or set TOCSIN_ARCHIVE_DIR to another place")
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        return well("archive", f"{there} is only read here: whether the gateway may write, its job `cleanup` says")
    if not may(there, os.W_OK | os.X_OK):
        what = f"{there} may not be written by who runs this: nothing is deleted where the gateway cannot archive"
        return trouble("archive", what, "chown it to the user that the gateway runs as, and ask as that user")
    return _room(folder, usage(there)[2])


def _room(folder: Path, free: int) -> Finding:
    said = f"{free // 2**20:,} MB are free for {folder}"
    if free < LEAST_FREE:
        what = f"only {said}: nothing is deleted when there is no room"
        return trouble("archive", what, "take old files with their .index to another place, or move TOCSIN_ARCHIVE_DIR")
    return well("archive", said)
