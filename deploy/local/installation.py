"""From the settings to the stack: which servers are ours, where everything listens, what comes before what."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from deploy.local.ending import down
from deploy.local.kafka import Kafka
from deploy.local.places import Places
from deploy.local.postgres import Postgres
from deploy.local.program import Elsewhere, Program, answers_ok, listens
from deploy.local.stack import Stack
from deploy.local.teller import Teller
from deploy.local.trouble import Trouble
from kit.postgres import all_schemas, migrate
from kit.settings import Settings, SettingsError, ensure_secrets, load, missing_extras, remember_database_url
from kit.settings.names import name_of

NAMES = ("intake", "scheduler", "email_sender", "sms_sender", "gateway")


def installation(root: Path, environ: Mapping[str, str]) -> Stack:
    """The stack that the settings of `root` describe. Raises SettingsError."""
    settings = load(root, environ)
    if missing := missing_extras(settings):
        raise SettingsError(missing)
    kafka, postgres = embedded_kafka(settings), embedded_postgres(settings)
    servers = {"postgresql": _postgresql(postgres), "kafka": _kafka(kafka), "mail": _mail(settings)}

    def fetch_and_format(tell: Teller) -> None:
        kafka.progress = lambda here, total: tell.progress("fetching Kafka's jars", here, total)
        kafka.prepare()

    def initialise(tell: Teller) -> None:
        ensure_secrets(settings.state_dir)
        if "postgresql" in settings.embedded:
            remember_database_url(settings.state_dir, postgres.address)
        _migrate(postgres.address if "postgresql" in settings.embedded else settings.database_url, tell)

    return Stack(
        Places(root, settings.state_dir, settings.logs_dir),
        servers=[program for name, program in servers.items() if name in settings.embedded],
        services=[_service(settings, name) for name in NAMES],
        elsewhere=[server for server in _named(settings) if server.name not in settings.embedded],
        prepare={"postgresql": lambda tell: postgres.prepare(), "kafka": fetch_and_format},
        between=initialise,
    )


def end(root: Path, environ: Mapping[str, str], tell: Teller) -> list[str]:
    """Ends the stack of `root`, also when its settings cannot be read (any more); returns what it ended."""
    try:
        settings = load(root, environ)
    except SettingsError:
        return down(Places(root, root / ".tocsin", root / "logs"), tell)
    return down(Places(root, settings.state_dir, settings.logs_dir), tell)


def embedded_kafka(settings: Settings) -> Kafka:
    """The Kafka of this state folder."""
    folder = settings.state_dir
    return Kafka(
        folder / "kafka", port=settings.ports.kafka, cache=folder / "cache", partitions=settings.kafka.partitions
    )


def embedded_postgres(settings: Settings) -> Postgres:
    """The PostgreSQL of this state folder."""
    return Postgres(settings.state_dir / "postgresql")


def _kafka(kafka: Kafka) -> Program:
    return Program(
        "kafka",
        _module(
            "deploy.local.kafka", state=kafka.state, cache=kafka.cache, port=kafka.port, partitions=kafka.partitions
        ),
        ready=kafka.answers,
        address=kafka.address,
        ports={"TOCSIN_KAFKA_PORT": kafka.port},
        stop_seconds=20,
    )


def _postgresql(postgres: Postgres) -> Program:
    return Program(
        "postgresql",
        _module("deploy.local.postgres", state=postgres.state),
        ready=postgres.answers,
        address=postgres.address,
        stop_signal=postgres.stop_signal,
    )


def _mail(settings: Settings) -> Program:
    smtp, page = settings.ports.mail_smtp, settings.ports.mail_page
    return Program(
        "mail",
        _module("deploy.local.catcher", smtp_port=smtp, page_port=page, file=settings.state_dir / "mail.db"),
        ready=lambda: answers_ok(page),
        address=f"127.0.0.1:{smtp}",
        ports={"TOCSIN_MAIL_SMTP_PORT": smtp, "TOCSIN_MAIL_PAGE_PORT": page},
    )


def _service(settings: Settings, name: str) -> Program:
    own = settings.ports.of(name)
    face = {"GATEWAY_PORT": settings.gateway.port} if name == "gateway" else {}
    health = {name_of(("ports", name)) or name: own} if own else {}
    host = settings.gateway.host if face else settings.ports.host
    ports = face | health
    asked = _near(settings.ports.host if own else host)
    port = own or settings.gateway.port
    return Program(
        name,
        _module(f"services.{name}"),
        ready=lambda: answers_ok(port, host=asked),
        address=f"{_near(host)}:{next(iter(ports.values()))}",
        ports=ports | (_returned_mail(settings) if name == "email_sender" else {}),
        host=host,
    )


def _near(host: str) -> str:
    """Where this machine reaches itself."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host


def _returned_mail(settings: Settings) -> dict[str, int]:
    """The port at which mail comes back, where any is to."""
    returns = any(provider.bounce_address and not provider.is_gmail for provider in settings.email_providers)
    return {"TOCSIN_RETURNED_MAIL_PORT": settings.ports.returned_mail} if returns else {}


def _module(name: str, **options: object) -> list[str]:
    """The command that runs a module with these options."""
    flags = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    return [sys.executable, "-m", name, *flags]


def _named(settings: Settings) -> list[Elsewhere]:
    """The servers as the settings name them, ours or not."""
    brokers = settings.kafka.bootstrap_servers.split(",")
    database = urlsplit(settings.database_url)
    mail = f"{settings.smtp.host}:{settings.smtp.port}"
    return [
        Elsewhere("postgresql", f"{database.hostname or ''}{database.path}", lambda: _connects(settings.database_url)),
        Elsewhere("kafka", settings.kafka.bootstrap_servers, lambda: any(listens(one.strip()) for one in brokers)),
        Elsewhere("mail", mail, lambda: listens(mail)),
    ]


def _connects(url: str) -> bool:
    async def connect() -> None:
        await (await asyncpg.connect(url, timeout=3)).close()

    try:
        asyncio.run(connect())
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    return True


def _migrate(url: str, tell: Teller) -> None:
    try:
        applied = asyncio.run(migrate(url, all_schemas()))
    except (OSError, TimeoutError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise Trouble(
            f"the database does not let us in ({type(error).__name__})", "look at DATABASE_URL, and whether it runs"
        ) from error
    if applied:
        tell.say(f"database brought up to date ({len(applied)} steps)")
