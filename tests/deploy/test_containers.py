"""All five services from their images, on a read-only file system and as nobody: from an empty database to a mail."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from contracts.topics import SERVICES
from kit.settings import names
from tests import servers as real
from tests.deploy.docker import Docker
from tests.journeys.stack import Stack
from tests.waiting import PATIENCE, eventually

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.needs("docker.io")]
CONFINED = ["--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
LOGS = "/app/logs"
NOBODY = 10001, 10001
"""User and group of the images."""
THOROUGH = os.environ.get("TOCSIN_TEST_IMAGES") == "own"
"""Each image with its own packages, which takes minutes; that they are enough is otherwise tried by test_images.py."""


@pytest.fixture(scope="module")
def docker(session: real.Session) -> Iterator[Docker]:
    """An engine with the images of the five services and of the tools."""
    with Docker(session.new_folder("docker"), session.look_after) as docker:
        for service in ("tools", *SERVICES):
            docker.build(service, PACKAGES=service if THOROUGH else "all")
        yield docker


def mounts(folder: Path, database: str) -> list[str]:
    """What a container sees of this machine: its settings, and PostgreSQL's socket, which only its owner may use."""
    sockets = [Path(place) for place in parse_qs(urlsplit(database).query).get("host", []) if place.startswith("/")]
    user, group = (sockets[0].stat().st_uid, sockets[0].stat().st_gid) if sockets else NOBODY
    own = [f"--user={user}:{group}", f"--tmpfs={LOGS}:uid={user},gid={group}", "--tmpfs=/tmp"]
    return own + [f"--volume={place}:{place}:ro" for place in (folder, *sockets)]


def settings() -> list[str]:
    """Each setting of ours that the client finds in its own environment."""
    return [word for name in (*names.NAMES, names.CONFIG_FILE) for word in ("--env", name)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(docker: Docker, session: real.Session, kafka_address: str, postgres_url: str) -> AsyncIterator[Stack]:
    """The services in containers, after `tocsin migrate` and `tocsin topics --make` from the image of the tools."""
    folder, kafka = session.new_folder("stack"), real.kafka_settings(kafka_address)
    folder.chmod(0o755)
    async with real.empty_database(postgres_url) as database:
        confined = [*CONFINED, *mounts(folder, database), *settings()]

        def command(service: str) -> list[str]:
            return [docker.client, "run", "--name", service, *confined, f"tocsin/{service}"]

        inside = {name: docker.environment[name] for name in ("DOCKER_HOST", "PATH")}
        stack = Stack(
            kafka,
            database,
            folder,
            session.look_after,
            settings=inside | {"TOCSIN_LOGS_DIR": LOGS},
            command=command,
            patience=4 * PATIENCE,
        )
        told = {
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
            "KAFKA_PARTITIONS": str(kafka.partitions),
        }
        for asked in (["migrate"], ["topics", "--make"]):
            docker.run("run", "--rm", *confined, "tocsin/tools", *asked, more=told)
        async with stack:
            yield stack
    await real.delete_topics(kafka)


async def test_a_mail_a_text_and_a_reminder_find_their_way(stack: Stack) -> None:
    ripe = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    mail = {"channel": "email", "subject": "Your order", "body": "It is on its way."}
    asked = [
        await stack.post(mail | {"to": "ann@example.com"}),
        await stack.post(mail | {"to": "bob@example.com", "send_at": ripe}),
        await stack.post({"channel": "sms", "to": "+33612345678", "body": "Votre colis est arrivé."}),
        await stack.post({"channel": "inapp", "user_id": "alice", "subject": "Hello", "body": "A bell."}),
    ]
    for one in asked:
        done = await stack.final(one["id"])
        assert done["status"] in ("sent", "delivered"), done
        assert done["timeline"][0]["event"] == "accepted"
    for recipient in ("ann@example.com", "bob@example.com"):
        [caught] = await stack.catcher.wait_for(to=recipient)
        assert caught.subject == "Your order"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_container_is_healthy_alone_and_confined(stack: Stack, docker: Docker, service: str) -> None:
    """By the image's own health check; it has no other service, is nobody, and cannot change itself."""
    [image] = json.loads(docker.run("image", "inspect", f"tocsin/{service}").stdout)
    command, *check = image["Config"]["Healthcheck"]["Test"]
    assert command == "CMD"
    [instance] = stack.of(service)
    variable = "GATEWAY_PORT" if service == "gateway" else f"TOCSIN_{service.upper()}_PORT"
    said = docker.run("exec", "--env", f"{variable}={instance.port}", service, *check).stdout
    assert json.loads(said) == {"service": service, "ready": True, "not_ready": [], "degraded": []}
    assert image["Config"]["User"] == "{}:{}".format(*NOBODY)
    look = "import os; print(os.getuid() > 0, *sorted(set(os.listdir('services')) - {'__init__.py'}))"
    assert docker.run("exec", service, "python", "-c", look).stdout.split() == ["True", service]
    spoil = docker.run("exec", service, "python", "-c", "open('/app/kit/clock.py', 'w')", check=False)
    assert "Read-only file system" in spoil.stderr


async def test_a_container_ends_by_itself_when_it_is_told_to(stack: Stack, docker: Docker) -> None:
    """Python hears SIGTERM, not the shell before it: exit code 0, long before it would be killed."""
    docker.run("stop", "--time", "30", *SERVICES)
    for service in SERVICES:
        [instance] = stack.of(service)
        await eventually(lambda instance=instance: not instance.alive)
        assert docker.run("inspect", "--format", "{{.State.ExitCode}}", service).stdout.strip() == "0"
