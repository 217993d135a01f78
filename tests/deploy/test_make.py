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


def compose(folder: Path, docker: str | None) -> subprocess.CompletedProcess[str]:
    """`make compose` in a copy of what it needs, with a docker that writes down what it is asked for, or without."""
    for place in ("scripts/compose.sh", "deploy/.env.example"):
        (folder / place).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / place, folder / place)
    (folder / "bin").mkdir(exist_ok=True)
    for tool in ("bash", "dirname", "head", "base64", "tr", "mv", "cat"):
        found = shutil.which(tool)
        assert found is not None
        if not (folder / "bin" / tool).exists():
            (folder / "bin" / tool).symlink_to(found)
    if docker is not None:
        (folder / "bin" / "docker").write_text(f"#!/bin/bash\n{docker}\n")
        (folder / "bin" / "docker").chmod(0o755)
    environment = {"PATH": str(folder / "bin"), "ASKED": str(folder / "asked")}
    script = str(folder / "scripts/compose.sh")
    return subprocess.run(["bash", script], env=environment, capture_output=True, text=True)


def test_compose_without_docker_is_one_sentence_with_the_remedy(folder: Path) -> None:
    done = compose(folder, None)
    assert done.returncode == 1 and done.stderr.startswith("tocsin: docker is not here: install")
    done = compose(folder, '[ "$1" != compose ]')
    assert done.returncode == 1 and done.stderr.startswith("tocsin: docker has no `compose` here: install")
    assert not (folder / "deploy/.env").exists()


def test_compose_draws_secrets_once_and_starts_everything(folder: Path) -> None:
    done = compose(folder, 'echo "$*" >> "$ASKED"')
    assert done.returncode == 0, done.stderr
    made = (folder / "deploy/.env").read_text()
    secrets = re.findall(
        r"^(POSTGRES_PASSWORD|JWT_SECRET|TOCSIN_LINK_SECRET|GF_SECURITY_ADMIN_PASSWORD)=([\w-]{48})$",
        made,
        re.MULTILINE,
    )
    assert len({secret for _, secret in secrets}) == 4
    assert (folder / "deploy/.env").stat().st_mode & 0o077 == 0
    assert "compose -f deploy/compose.yaml up --build --detach" in (folder / "asked").read_text()
    assert compose(folder, "exit 0").returncode == 0
    assert (folder / "deploy/.env").read_text() == made
