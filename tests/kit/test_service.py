"""The shell of a service, seen from outside: a real process, its log lines, its health, its exit code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.ports import free_port
from kit.service.absence import is_absence
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


class Running:
    """A toy service under way."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port
        self.lines: list[dict[str, Any]] = []

    async def says(self, event: str) -> dict[str, Any]:
        """The next log line with that event; an error when the process ends before it comes."""
        assert self.process.stdout
        while True:
            line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
            assert line, f"ended without {event}: {[one['event'] for one in self.lines]}"
            self.lines.append(json.loads(line))
            if self.lines[-1]["event"] == event:
                return self.lines[-1]

    async def ends(self) -> int:
        """The exit code; reads what is left to say."""
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE):
            async for line in self.process.stdout:
                self.lines.append(json.loads(line))
            return await self.process.wait()

    async def asks(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}")

    def toys(self, event: str) -> list[str]:
        return [line["toy"] for line in self.lines if line["event"] == event]

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    started: list[Running] = []

    async def start(*arguments: str, port: int | None = None, **environ: str) -> Running:
        port = port or free_port()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.kit.toy_service",
            *arguments,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TOCSIN_INTAKE_PORT": str(port)} | environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        started.append(Running(process, port))
        return started[-1]

    yield start
    for running in started:
        if running.process.returncode is None:
            running.process.kill()
            await running.process.wait()


async def test_started_in_order_and_stopped_in_reverse_at_sigterm(start: Start) -> None:
    service = await start("plain")
    line = await service.says("started")
    assert line["parts"] == ["pool", "loop_delay", "first", "last"]
    assert (await service.asks("/health/ready")).status_code == 200
    assert "process_cpu_seconds_total" in (await service.asks("/metrics")).text
    service.terminate()
    assert await service.ends() == 0
    assert service.toys("toy_started") == ["first", "last"]
    assert service.toys("toy_stopped") == ["last", "first", "pool"]
    assert service.lines[-1]["event"] == "stopped"


async def test_ctrl_c_is_a_good_end_too(start: Start) -> None:
    service = await start("plain")
    await service.says("started")
    service.process.send_signal(signal.SIGINT)
    assert await service.ends() == 0


async def test_not_ready_while_a_check_says_so(start: Start) -> None:
    service = await start("unready")
    await service.says("started")
    answer = await service.asks("/health/ready")
    assert (answer.status_code, answer.json()["not_ready"]) == (503, ["never"])
    assert (await service.asks("/health/live")).status_code == 200


async def test_a_server_that_is_not_there_is_waited_for(start: Start) -> None:
    """Said, not crashed: live, not ready, and started once the server is there; what was started before is stopped."""
    port = free_port()
    service = await start("waiting", str(port))
    assert "Connection" in (await service.says("waiting_for_a_server"))["error"]
    answer = await service.asks("/health/ready")
    assert (answer.status_code, answer.json()["not_ready"]) == (503, ["started"])
    assert service.toys("toy_stopped") == ["caller", "first", "pool"]
    with socket.create_server(("127.0.0.1", port)):
        await service.says("started")
    assert (await service.asks("/health/ready")).status_code == 200
    service.terminate()
    assert await service.ends() == 0


async def test_a_server_that_goes_and_comes_back_is_told_and_counts_for_readiness(start: Start) -> None:
    port = free_port()
    service = await start("watching", str(port))
    assert (await service.says("server_does_not_answer"))["server"] == "server"
    await service.says("started")
    answer = await service.asks("/health/ready")
    assert (answer.status_code, answer.json()["not_ready"]) == (503, ["server"])
    with socket.create_server(("127.0.0.1", port)):
        await service.says("server_is_back")
        assert (await service.asks("/health/ready")).status_code == 200
    await service.says("server_does_not_answer")
    assert (await service.asks("/health/ready")).status_code == 503


async def test_sigterm_while_waiting_is_a_good_end(start: Start, tmp_path: Path) -> None:
    service = await start("database", DATABASE_URL=f"postgresql://postgres@/x?host={tmp_path}/nowhere")
    await service.says("waiting_for_a_server")
    service.terminate()
    assert await service.ends() == 0


async def test_a_part_that_dies_ends_the_service_with_one_clear_line(start: Start) -> None:
    service = await start("mortal")
    await service.says("started")
    service.process.stdin.write(b"die\n")
    assert await service.ends() == 1
    (line,) = [line for line in service.lines if line["level"] == "error"]
    assert (line["event"], line["part"]) == ("part_died", "mortal")
    assert "died of <email>" in line["exception"]
    assert service.toys("toy_stopped") == ["last", "first", "pool"]


async def test_a_part_that_ends_by_itself_has_died(start: Start) -> None:
    service = await start("finite")
    assert await service.ends() == 1
    assert [line["part"] for line in service.lines if line["event"] == "part_died"] == ["finite"]


async def test_a_part_that_does_not_stop_keeps_no_one_from_stopping(start: Start) -> None:
    service = await start("stubborn", "0", "1.0", str(PATIENCE))
    await service.says("started")
    service.terminate()
    await service.says("stopped")
    service.terminate()
    assert await service.ends() == 1
    assert service.toys("toy_stopped") == ["last", "first", "pool"]
    left = [line["part"] for line in service.lines if line["event"] == "part_did_not_stop"]
    assert [part for part in left if part != "health"] == ["stubborn"], "and the door has only a moment then"


async def test_a_blocked_loop_is_ended_by_force(start: Start) -> None:
    service = await start("blocking", "0", "0.5")
    await service.says("started")
    service.terminate()
    assert await service.ends() == 1


async def test_a_part_that_stops_badly_keeps_no_one_from_stopping(start: Start) -> None:
    service = await start("broken")
    await service.says("started")
    service.terminate()
    assert await service.ends() == 0
    assert [line["part"] for line in service.lines if line["event"] == "part_stopped_badly"] == ["broken"]
    assert service.toys("toy_stopped") == ["last", "first", "pool"]


async def test_a_second_signal_ends_at_once(start: Start) -> None:
    service = await start("stubborn")
    await service.says("started")
    service.terminate()
    await service.says("stopping")
    service.terminate()
    assert await service.ends() == 1


async def test_what_cannot_be_built_ends_with_its_reason(start: Start) -> None:
    service = await start("failing")
    assert await service.ends() == 1
    (line,) = [line for line in service.lines if line["event"] == "start_failed"]
    assert "cannot be built" in line["exception"]


@pytest.mark.parametrize(
    ("kind", "environ", "said"),
    [
        ("plain", {"SMTP_PORTS": "x", "KAFKA_PARTITIONS": "many"}, ["did you mean SMTP_PORT?", "KAFKA_PARTITIONS"]),
        ("needy", {}, ["TOCSIN_LINK_SECRET is not set"]),
    ],
)
async def test_settings_that_cannot_be_used_are_told_on_stderr(
    start: Start, kind: str, environ: dict[str, str], said: list[str]
) -> None:
    service = await start(kind, **environ)
    assert await service.ends() == 78
    text = (await service.process.stderr.read()).decode()
    assert all(one in text for one in said)
    assert "Traceback" not in text


async def test_a_taken_port_is_told_with_the_setting(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        service = await start("plain", port=other.getsockname()[1])
        assert await service.ends() == 1
    (line,) = [line for line in service.lines if line["event"] == "port_taken"]
    assert "set TOCSIN_INTAKE_PORT to a free port" in line["detail"]


async def test_odd_settings_are_told_in_the_log(start: Start) -> None:
    service = await start("plain", KAFKA_HEAP_OPTS="-Xmx1g")
    assert "KAFKA_HEAP_OPTS" in (await service.says("note_on_settings"))["detail"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (FileNotFoundError("no socket"), True),
        (PermissionError(13, "no"), False),
        (OSError(98, "address in use"), False),
        (ValueError("no"), False),
        (KeyError("no"), False),
    ],
)
def test_absence_is_what_waiting_mends(error: BaseException, expected: bool) -> None:
    assert is_absence(error) is expected
