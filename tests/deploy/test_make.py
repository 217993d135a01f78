"""`make` says what it can do, and says in one sentence what it lacks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.servers import ROOT

TOOLS = ("bash", "dirname", "awk", "grep", "cat", "cksum", "tail", "tr")


def test_help_lists_every_target() -> None:
    """Each target has its line."""
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert targets == set(re.findall(r"^  make ([a-z]+) +\S", said, re.MULTILINE))


def test_a_machine_without_python_is_told_so(folder: Path) -> None:
    """One sentence with the remedy, and an exit code that is not 0."""
    (folder / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / "bin" / tool).symlink_to(found)
    old = folder / "bin" / "python3"
    old.write_text("#!/bin/bash\necho Python 3.9.2\nexit 1\n")
    old.chmod(0o755)
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / "venv.sh", folder / "scripts")
    environment = {"PATH": str(folder / "bin"), "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(["bash", str(script), "local"], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert sentence.startswith("tocsin: Python 3.11 or newer is needed and not found: install it")
    assert not (folder / ".venv").exists()
