"""`make audit` says which package is to be replaced, or that it knows nothing; its tools are stood in for here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lint.tree import ROOT

CLEAN = "echo 'No known vulnerabilities found' >&2"
FOUND = """
case "$*" in
*requirements/bad.txt*) echo 'Found 1 known vulnerability in 1 package' >&2
    printf 'Name Version ID Fix Versions\\nurllib3 1.0 PYSEC-1 2.8.0\\n'; exit 1 ;;
*) echo 'No known vulnerabilities found' >&2 ;;
esac
"""
AWAY = "echo 'requests.exceptions.ConnectionError: no such host' >&2; exit 1"


@pytest.mark.parametrize(
    ("tool", "code", "said", "unsaid"),
    [
        (CLEAN, 0, ["requirements/bad.txt: No known", "requirements/good.txt: No known"], "urllib3"),
        (FOUND, 1, ["requirements/good.txt: No known", "urllib3 1.0 PYSEC-1 2.8.0"], "nothing is known"),
        (AWAY, 2, ["not looked at, since osv does not answer", "no such host", "nothing is known"], "No known"),
    ],
)
def test_the_fates_of_an_audit(tmp_path: Path, tool: str, code: int, said: list[str], unsaid: str) -> None:
    """Clean; one to replace, and the other files looked at all the same; and nobody there to ask, which is no clean."""
    for folder in ("scripts", "requirements", ".tocsin/audit/bin"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "scripts/audit.sh", tmp_path / "scripts")
    for name in ("audit", "bad", "good"):
        (tmp_path / f"requirements/{name}.txt").write_text("urllib3==1.0\n")
    shutil.copy(tmp_path / "requirements/audit.txt", tmp_path / ".tocsin/audit/.installed")
    stand_in = tmp_path / ".tocsin/audit/bin/pip-audit"
    stand_in.write_text(f"#!/bin/sh\n{tool}\n")
    stand_in.chmod(0o755)
    done = subprocess.run([tmp_path / "scripts/audit.sh", "audit"], capture_output=True, text=True)
    everything = done.stdout + done.stderr
    assert done.returncode == code, everything
    assert [one for one in said if one not in everything] == []
    assert unsaid not in everything
