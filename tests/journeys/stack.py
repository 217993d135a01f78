"""All five services as real processes, on a corner of the session's Kafka and PostgreSQL, with an own mail catcher."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import jwt

from contracts.topics import GATEWAY_DIRECTORY, INTAKE_DIRECTORY, SCHEDULER_DEADLINES, SCHEDULER_SCHEDULES, Group
from deploy.local.catcher import Catcher
from deploy.local.ports import free_port
from kit.bus.served import served
from kit.clock import utc_now
from kit.settings import KafkaSettings
from tests.servers import SOON_MISSED_MS
from tests.waiting import PATIENCE

ROOT = Path(__file__).parent.parent.parent
SERVICES = ("intake", "scheduler", "email_sender", "sms_sender", "gateway")
DIRECTORY = (GATEWAY_DIRECTORY, INTAKE_DIRECTORY, SCHEDULER_SCHEDULES, SCHEDULER_DEADLINES)
"""Whoever goes by what people and programs put into the directory."""
FINAL = frozenset({"cancelled", "expired", "rejected", "failed", "sent", "undelivered", "delivered"})
SECRET = "a secret of the tests, long enough for HS256"
CONFIG = """
notifications:
  email: {retry: {max_attempts: 5, retry_delay_seconds: 1}}
  sms: {retry: {max_attempts: 5, retry_delay_seconds: 1}}
"""

Answer = dict[str, Any]


@dataclass(slots=True)
class Instance:
    """One process of a service: its environment survives its deaths."""

    service: str
    number: int
    environment: dict[str, str]
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"{self.service}{self.number}"

    @property
    def health_port(self) -> str | int:
        """The gateway's own port, too, unless the settings give its health another one."""
        private = self.environment.get("TOCSIN_GATEWAY_HEALTH_PORT") if self.service == "gateway" else None
        return private or self.port

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class Stack:
    """`async with Stack(...) as stack:` starts everything and waits until it is ready; afterwards nothing is left.

    `counts` says how many instances a service has (1), `settings` are further environment variables for all, `own` for
    one service, `failpoints` are TOCSIN_FAILPOINTS per service, for its first life only. `module` lets a test start
    another program in a service's place, to see that its loss is noticed.
    """

    kafka: KafkaSettings
    database: str
    folder: Path
    look_after: Callable[[int], None]
    counts: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failpoints: Mapping[str, str] = field(default_factory=dict)
    services: tuple[str, ...] = SERVICES
    config: str = CONFIG
    command: Callable[[str], list[str]] = lambda service: [sys.executable, "-m", f"services.{service}"]
    catcher: Catcher = field(default_factory=Catcher)
    patience: float = 3 * PATIENCE
    """Seconds for the start of one or of all: five programs at once are begun slowly where much else is under way."""

    def __post_init__(self) -> None:
        self.instances: list[Instance] = []
        self.http = httpx.AsyncClient(timeout=PATIENCE)

    # ---------------------------------------------------------------------------------------------- life

    async def __aenter__(self) -> Self:
        await self.catcher.start()
        (self.folder / "notifications.yml").write_text(self.config)
        for service in self.services:
            for number in range(self.counts.get(service, 1)):
                self.instances.append(self._instance(service, number))
        for instance in self.instances:
            self.start(instance)
        try:
            await self.ready()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.show_logs()
        await self._end()

    async def _end(self) -> None:
        for instance in self.instances:
            self.kill(instance)
        await self.http.aclose()
        await self.catcher.stop()

    def _instance(self, service: str, number: int) -> Instance:
        port = free_port()
        own_port = "GATEWAY_PORT" if service == "gateway" else f"TOCSIN_{service.upper()}_PORT"
        ours = ("TOCSIN_", "KAFKA_", "SMTP_", "SMS_", "JWT_", "GATEWAY_", "NOTIFICATION_", "DATABASE_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
            own_port: str(port),
            "PYTHONPATH": str(ROOT),
            "TOCSIN_CONFIG": str(self.folder / "notifications.yml"),
            "TOCSIN_STATE_DIR": str(self.folder),
            "TOCSIN_LOGS_DIR": str(self.folder / "logs"),
            "KAFKA_BOOTSTRAP_SERVERS": ",".join(self.kafka.bootstrap_servers.split(",")),
            "KAFKA_TOPIC_PREFIX": self.kafka.topic_prefix,
            "KAFKA_PARTITIONS": str(self.kafka.partitions),
            "KAFKA_SESSION_TIMEOUT_MS": str(SOON_MISSED_MS),
            "DATABASE_URL": self.database,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.catcher.port),
            "SMTP_SECURITY": "none",
            "JWT_SECRET": SECRET,
            **self.settings,
            **self.own.get(service, {}),
        }
        if points := self.failpoints.get(service):
            environment["TOCSIN_FAILPOINTS"] = points
        return Instance(service, number, environment, port, self.folder)

    async def another(self, service: str, **settings: str) -> Instance:
        """One more instance, with these settings beside the others; returns when it is ready."""
        instance = self._instance(service, len(self.of(service)))
        instance.environment.update(settings)
        self.instances.append(instance)
        self.start(instance)
        await self.ready([instance])
        return instance

    def of(self, service: str) -> list[Instance]:
        """The instances of a service."""
        return [instance for instance in self.instances if instance.service == service]

    def start(self, instance: Instance) -> None:
        """Starts it, unless it lives."""
        if instance.alive:
            return
        with instance.log.open("ab") as log:
            instance.process = subprocess.Popen(
                self.command(instance.service),
                cwd=self.folder,
                env=instance.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.look_after(instance.process.pid)
        instance.environment.pop("TOCSIN_FAILPOINTS", None)

    def kill(self, instance: Instance) -> None:
        """kill -9, and waits for its end."""
        self._signal(instance, signal.SIGKILL)
        if instance.process:
            instance.process.wait()

    async def terminate(self, instance: Instance, within: float = PATIENCE) -> int:
        """SIGTERM, and waits for its end; its exit code. Raises TimeoutError."""
        self._signal(instance, signal.SIGTERM)
        process = instance.process
        assert process
        return await asyncio.to_thread(process.wait, within)

    async def restart(self, instance: Instance) -> None:
        """Gracefully ended and started again; returns when it is ready."""
        await self.terminate(instance)
        self.start(instance)
        await self.ready([instance])

    def _signal(self, instance: Instance, number: signal.Signals) -> None:
        if instance.alive and instance.process:
            os.kill(instance.process.pid, number)

    async def ready(self, instances: Iterable[Instance] | None = None) -> None:
        """Waits until all of them answer /health/ready with 200. Raises TimeoutError naming who does not."""
        waiting = list(self.instances if instances is None else instances)
        over = time.monotonic() + self.patience
        while waiting:
            waiting = [instance for instance in waiting if not await self._is_ready(instance)]
            if waiting and time.monotonic() > over:
                self.show_logs()
                told = [f"{one.name} {await self._said(one)}" for one in waiting]
                raise TimeoutError(f"not ready after {self.patience:g} s: {', '.join(told)}")
            await asyncio.sleep(0.1)

    async def _is_ready(self, instance: Instance) -> bool:
        try:
            return (await self.http.get(f"http://127.0.0.1:{instance.health_port}/health/ready")).status_code == 200
        except httpx.HTTPError:
            return False

    async def _said(self, instance: Instance) -> str:
        try:
            answer = await self.http.get(f"http://127.0.0.1:{instance.health_port}/health/ready")
            return f"({', '.join(answer.json()['not_ready'])})"
        except httpx.HTTPError as error:
            return f"({type(error).__name__})"

    # ---------------------------------------------------------------------------------------------- REST

    @property
    def url(self) -> str:
        """The first gateway that lives."""
        return f"http://127.0.0.1:{next(one for one in self.of('gateway') if one.alive).port}"

    def token(
        self, user: str = "alice", *, admin: bool = False, service: bool = False, tenant: str | None = None
    ) -> str:
        """A token like those of `tocsin token`."""
        now = int(time.time())
        roles = ["admin"] * admin + ["service"] * service
        claims = {"sub": user, "roles": roles, "iss": "tocsin", "aud": "tocsin", "iat": now, "exp": now + 3600}
        return jwt.encode(claims | ({"tenant": tenant} if tenant else {}), SECRET, algorithm="HS256")

    async def call(
        self, method: str, path: str, *, user: str = "alice", admin: bool = False, **more: Any
    ) -> httpx.Response:
        """One request as `user`."""
        headers = {"Authorization": f"Bearer {self.token(user, admin=admin)}"} | more.pop("headers", {})
        return await self.http.request(method, self.url + path, headers=headers, **more)

    async def post(self, body: Mapping[str, Any], *, key: str | None = None, user: str = "alice") -> Answer:
        """POST /v1/notifications; the answer of the 202."""
        answer = await self.call(
            "POST", "/v1/notifications", user=user, json=body, headers={"Idempotency-Key": key} if key else {}
        )
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def get(self, id: str, *, user: str = "admin", admin: bool = True) -> Answer | None:
        """GET /v1/notifications/{id}; None for a 404."""
        answer = await self.call("GET", f"/v1/notifications/{id}", user=user, admin=admin)
        assert answer.status_code in (200, 404), answer.text
        return dict(answer.json()) if answer.status_code == 200 else None

    async def wait_for(self, id: str, fits: Callable[[Answer], bool], within: float = PATIENCE) -> Answer:
        """The notification as soon as it fits. Raises TimeoutError with the last that was seen."""
        over, last = time.monotonic() + within, None
        while time.monotonic() < over:
            try:
                last = await self.get(id)
            except httpx.HTTPError:
                last = None
            if last and fits(last):
                return last
            await asyncio.sleep(0.05)
        raise TimeoutError(f"{id} after {within:g} s: {last}")

    async def final(self, id: str, within: float = PATIENCE) -> Answer:
        """The notification as soon as it has ended."""
        return await self.wait_for(id, lambda seen: seen["status"] in FINAL, within)

    async def finals(self, ids: Iterable[str], within: float) -> dict[str, Answer]:
        """All of them, ended. Raises TimeoutError for the first that is not in time."""
        over = time.monotonic() + within
        return {id: await self.final(id, max(over - time.monotonic(), 0.5)) for id in ids}

    async def have_heard(self, groups: Iterable[Group] = DIRECTORY, within: float = PATIENCE) -> None:
        """Waits until these have done all that was said to them before. A gateway shows what was changed once it has
        read it itself; others may read it a little later. Raises TimeoutError naming who has not."""
        asked, over = utc_now(), time.monotonic() + within
        waiting = list(groups)
        while waiting:
            times = await asyncio.gather(*(served(self.kafka, one.name, one.topics) for one in waiting))
            waiting = [one for one, at in zip(waiting, times, strict=True) if at is None or at < asked]
            if waiting and time.monotonic() > over:
                raise TimeoutError(f"behind after {within:g} s: {', '.join(one.name for one in waiting)}")

    def show_logs(self, lines: int = 25) -> None:
        """The last lines of every instance, where pytest shows them with a failure."""
        for instance in self.instances:
            if instance.log.exists():
                tail = instance.log.read_text(errors="replace").splitlines()[-lines:]
                print(f"--- {instance.name}", *tail, sep="\n")
