"""The version before this one, out of the history of this repository: the same services, as they were."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.servers import ROOT

PREVIOUS = "193cc8c1455372fac93657e7f54e370d1f53ab44"
"""The commit that is upgraded from. After a release: that of its tag."""

MIGRATE = "import asyncio, sys; from kit.postgres import *; asyncio.run(migrate(sys.argv[1], all_schemas()))"


def checked_out(folder: Path) -> Path:
    """Its code, in `folder`. Skips where the history is not there: a shallow clone, or no clone at all."""
    if _git("cat-file", "-e", f"{PREVIOUS}^{{commit}}").returncode:
        pytest.skip(f"commit {PREVIOUS[:9]} is not in this clone: `git fetch --unshallow` brings it")
    packed = _git("archive", PREVIOUS, "contracts", "kit", "services", "client").stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def migrate(code: Path, url: str) -> None:
    """Brings the database to where that code wants it."""
    subprocess.run([sys.executable, "-c", MIGRATE, url], cwd=code, env={"PYTHONPATH": str(code)}, check=True)


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no git here, and so no version before this one")
