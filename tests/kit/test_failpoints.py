"""Failpoints: each action in a process of its own, and nothing at all without the variable."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from kit.failpoints import FailpointReached, arm, failpoint

PASSES = """
from kit.failpoints import failpoint
for n in range(1, 5):
    print(n, flush=True)
    failpoint("here")
    failpoint("elsewhere")
"""


def passing(spec: str | None) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if name != "TOCSIN_FAILPOINTS"}
    return subprocess.Popen(
        [sys.executable, "-c", PASSES],
        env=environ if spec is None else environ | {"TOCSIN_FAILPOINTS": spec},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("spec", "printed", "code"),
    [
        (None, "1\n2\n3\n4\n", 0),
        ("", "1\n2\n3\n4\n", 0),
        ("somewhere:kill", "1\n2\n3\n4\n", 0),
        ("here:kill", "1\n", 137),
        ("here:kill@3", "1\n2\n3\n", 137),
        ("nowhere:kill, elsewhere:kill@2", "1\n2\n", 137),
        ("here:raise@2", "1\n2\n", 1),
    ],
)
def test_the_process_ends_at_the_nth_passing(spec: str | None, printed: str, code: int) -> None:
    process = passing(spec)
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == (printed, code)


def test_a_paused_process_goes_on_when_it_is_told_to() -> None:
    process = passing("here:pause@2")
    pid, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP
    os.kill(pid, signal.SIGCONT)
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("1\n2\n3\n4\n", 0)


def test_an_armed_place_acts_once() -> None:
    arm("here:raise@2")
    failpoint("here")
    with pytest.raises(FailpointReached, match="here"):
        failpoint("here")
    failpoint("here")


@pytest.mark.parametrize("spec", ["here", "here:explode", "here:kill@", ":kill", "here:kill@0", "here:kill@x"])
def test_what_cannot_be_read_is_an_error(spec: str) -> None:
    if spec == "here:kill@":
        arm(spec)  # an empty number is the first passing
        return
    with pytest.raises(ValueError, match="is not name:action"):
        arm(spec)
