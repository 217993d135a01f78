"""The import arrows hold, and import-linter is seen to fail when one is turned round."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lint.tree import ROOT, files

PACKAGES = ("contracts", "kit", "services", "client", "cli", "deploy")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and their rules, in a place where they may be spoilt."""
    for path in files():
        if (path.parts[0] in PACKAGES and path.suffix == ".py") or path.name == "pyproject.toml":
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", command, "--no-cache", "--no-logo"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


def test_the_arrows_hold(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("kit/clock.py", "import services.intake", "services use kit, kit uses contracts"),
        ("contracts/topics.py", "import kit.clock", "services use kit, kit uses contracts"),
        ("contracts/identity.py", "from services.gateway import app", "services use kit, kit uses contracts"),
        ("services/intake/app.py", "import services.scheduler", "services never import each other"),
        ("services/email_sender/app.py", "import services.sms_sender", "services never import each other"),
        ("kit/clock.py", "import deploy.local", "nothing of how they are deployed"),
        ("services/gateway/app.py", "import cli", "nothing of how they are deployed"),
        ("contracts/events/event.py", "import asyncio", "rules are pure"),
        ("kit/retry.py", "import os", "rules are pure"),
    ],
)
def test_a_broken_arrow_is_found(copy: Path, file: str, line: str, rule: str) -> None:
    with (copy / file).open("a") as module:
        module.write(f"\n{line}\n")
    done = lint(copy)
    assert done.returncode == 1
    broken = [said for said in done.stdout.splitlines() if said.endswith("BROKEN")]
    assert any(rule in said for said in broken), done.stdout
