"""A real Prometheus and a real Alertmanager over a stack: the files of deploy/, at a pace that a test can wait for."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from deploy.local.ports import free_port
from tests.journeys.stack import ROOT, Stack
from tests.waiting import PATIENCE

PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTMANAGER = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
PACE = "1s"

Series = dict[str, Any]


class Program:
    """A server of somebody else's, on a port of its own, until the test ends."""

    def __init__(self, stack: Stack, folder: Path, name: str, ready: str) -> None:
        self.stack = stack
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._name = name
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """How it is started; what it reads is written now."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._start()
        await eventually(self._is_ready)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()
        if kind is not None:
            print((self.folder / f"{self._name}.log").read_text()[-4000:])

    def _start(self) -> None:
        with (self.folder / f"{self._name}.log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=subprocess.STDOUT, cwd=self.folder)
        self.stack.look_after(self._process.pid)

    async def _is_ready(self) -> bool:
        assert self._process and self._process.poll() is None, (self.folder / f"{self._name}.log").read_text()
        with suppress(httpx.HTTPError):
            return (await self.stack.http.get(f"{self.url}{self._ready}")).is_success
        return False


class Prometheus(Program):
    """With our rules, whose `for` is taken away where `hasty`; tells `alertmanager`, a port, if there is one."""

    def __init__(self, stack: Stack, folder: Path, alertmanager: int | None = None, *, hasty: bool = False) -> None:
        super().__init__(stack, folder, "prometheus", "/-/ready")
        self._alertmanager = alertmanager
        self._hasty = hasty

    def command(self) -> list[str]:
        config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": PACE, "evaluation_interval": PACE}
        for job in config["scrape_configs"]:
            ports = [one.port for one in self.stack.of(job["job_name"])]
            job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in ports]}]
        told = [{"targets": [f"127.0.0.1:{self._alertmanager}"]}] if self._alertmanager else []
        config["alerting"] = {"alertmanagers": [{"static_configs": told}]}
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        (self.folder / "rules").mkdir(exist_ok=True)
        for file in (PROMETHEUS / "rules").glob("*.yml"):
            (self.folder / "rules" / file.name).write_text(self._rules(file))
        where = (f"--storage.tsdb.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}")
        ways = ("--log.level=warn", "--enable-feature=exemplar-storage")
        return ["prometheus", f"--config.file={self.folder}/prometheus.yml", *ways, *where]

    def _rules(self, file: Path) -> str:
        rules = yaml.safe_load(file.read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                if self._hasty:
                    rule.pop("for", None)
        return yaml.safe_dump(rules)

    async def ask(self, query: str) -> list[Series]:
        """The series of its answer. Raises AssertionError for what is no query."""
        answer = await self.stack.http.get(f"{self.url}/api/v1/query", params={"query": query})
        assert answer.is_success, (query, answer.text)
        found: list[Series] = answer.json()["data"]["result"]
        return found

    async def traces(self, query: str) -> set[str]:
        """The trace ids beside the figures of this query, of the last hour."""
        span = {"query": query, "start": str(time.time() - 3600), "end": str(time.time() + 60)}
        answer = await self.stack.http.get(f"{self.url}/api/v1/query_exemplars", params=span)
        return {one["labels"]["trace_id"] for series in answer.json()["data"] for one in series["exemplars"]}


class Alertmanager(Program):
    """With our configuration, which posts to the stack's gateway with this key."""

    def __init__(self, stack: Stack, folder: Path, key: str) -> None:
        super().__init__(stack, folder, "alertmanager", "/-/ready")
        (folder / "tocsin.key").write_text(key)

    def command(self) -> list[str]:
        config = yaml.safe_load(ALERTMANAGER.read_text())
        config["route"] |= {"group_wait": PACE, "group_interval": PACE}
        [hook] = config["receivers"][0]["webhook_configs"]
        hook["url"] = f"{self.stack.url}/v1/admin/alerts"
        hook["http_config"]["authorization"]["credentials_file"] = str(self.folder / "tocsin.key")
        (self.folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
        where = (f"--storage.path={self.folder}/data", f"--web.listen-address=127.0.0.1:{self.port}")
        return [
            "prometheus-alertmanager",
            f"--config.file={self.folder}/alertmanager.yml",
            "--cluster.listen-address=",
            *where,
        ]


async def eventually(true: Callable[[], Awaitable[bool]], seconds: float = PATIENCE) -> None:
    """Returns when it holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110
            await asyncio.sleep(0.5)


def is_number(series: Series) -> bool:
    """Not what comes of dividing by 0: nothing happened."""
    return bool(series["value"][1] != "NaN")


async def answered(prometheus: Prometheus, queries: Sequence[str], seconds: float = PATIENCE) -> list[str]:
    """Waits until each of them has a number for an answer; those that have none by then."""
    left = list(queries)

    async def all_are() -> bool:
        left[:] = [query for query in left if not any(map(is_number, await prometheus.ask(query)))]
        return not left

    with suppress(TimeoutError):
        await eventually(all_are, seconds)
    return left
