"""A benchmark that counts wrongly, or passes when it falls short, would be worse than none."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.draining import Drained
from benchmarks.end_to_end import PROMISE, Result
from benchmarks.machine import Circumstances
from benchmarks.mails import requests
from benchmarks.processes import cpu_seconds
from contracts import events as e
from contracts.cloudevents import Place, decode
from contracts.status import Lane
from contracts.topics import REQUESTED
from tests.services.scheduler.support import NOON

BURN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
WITH_A_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"
HERE = Circumstances("a CPU", 2, 8.0, "3.11", "2027-03-01", "abcdef", 1, 5.7)
RESULT = Result.of(6000, 0, Drained(1.0, 2.0, {"intake": 0.6, "kafka": 1.2}), HERE)


@pytest.mark.parametrize("work", [BURN, WITH_A_CHILD], ids=["itself", "a child that ended"])
def test_the_cpu_of_a_process_is_its_own_and_that_of_its_children(work: str) -> None:
    """0.3 s were burnt; starting Python takes a little more."""
    program = f"{work}\nprint(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert 0.25 < cpu_seconds(process.pid) < 2
        process.kill()


def test_nobody_uses_no_cpu() -> None:
    """A process that is gone costs nothing, and breaks nothing."""
    assert cpu_seconds(2**30) == 0.0


def test_what_is_told() -> None:
    """The rate counts until all is projected; the dearest program comes first; the circumstances stand below."""
    assert RESULT.per_second == 3000
    assert RESULT.cpu_us == {"intake": 100.0, "kafka": 200.0}
    told = str(RESULT)
    assert told.index("kafka") < told.index("intake") < told.index("a CPU, 2 cores")
    assert "abcdef" in told and "seed 1" in told


@pytest.mark.parametrize(
    ("result", "holds"),
    [
        (RESULT, True),
        (replace(RESULT, projected_after=6000 / PROMISE + 0.01), False),
        (replace(RESULT, copies=1), False),
    ],
    ids=["kept", "too slow", "a copy"],
)
def test_it_fails_when_it_falls_short(result: Result, holds: bool) -> None:
    """Below the promised rate, or with a single mail sent twice."""
    assert result.holds == holds


def test_the_mails_are_requests_that_can_be_met() -> None:
    """The same ones for the same seed, each under the id that its key names."""
    drawn = list(requests("run", 1, 20))
    assert drawn == list(requests("run", 1, 20)) != list(requests("run", 2, 20))
    for key, value in drawn:
        event = decode(REQUESTED[Lane.NORMAL], key, value, (), Place(0, 0, NOON))
        assert isinstance(event, e.Requested)
        assert event.key.encode() == key
