"""Debian's postfix in a corner of its own, as a relay that nobody here has written; what it takes it passes on."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from deploy.local.ports import free_port
from tests.services.email_sender.conftest import CERTIFICATE
from tests.waiting import PATIENCE

HERE: Final = "here.test"
LARGEST: Final = 50_000
_CONFIGURATION: Final = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/data/log
maillog_file_prefixes = {home}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.test
mydestination = {here}
local_recipient_maps = inline:{{ ann=1 }}
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{onwards}
message_size_limit = {largest}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {certificate}
smtpd_recipient_restrictions = check_recipient_access inline:{{
    {{ greylisted@example.com = 450 4.7.1 come back in five minutes }}
    {{ full@example.com = 552 5.2.2 mailbox full }}
    {{ blocked@example.com = 554 5.7.1 not from you }} }}, permit_mynetworks, reject
"""


@asynccontextmanager
async def postfix(onwards: int) -> AsyncIterator[int]:
    """Its port. What it takes it hands to the server on the port `onwards`."""
    port = free_port()
    home = _home(port, onwards)
    folder = home / "etc"
    try:
        await _command(folder, "start")
        await _listens(port)
        yield port
    finally:
        await _command(folder, "stop")
        shutil.rmtree(home)


def _home(port: int, onwards: int) -> Path:
    """A folder that postfix's own user gets into, with all that it needs."""
    home = Path(tempfile.mkdtemp(prefix="tocsin-postfix-"))
    home.chmod(0o755)
    for part in ("etc", "queue", "data"):
        (home / part).mkdir()
    shutil.chown(home / "data", "postfix")
    (home / "etc" / "main.cf").write_text(
        _CONFIGURATION.format(home=home, here=HERE, onwards=onwards, largest=LARGEST, certificate=CERTIFICATE)
    )
    (home / "etc" / "master.cf").write_text(_services(port))
    return home


def _services(port: int) -> str:
    """Those of Debian's package, on our port and in no prison of their own."""
    lines = []
    for line in Path("/etc/postfix/master.cf.proto").read_text().splitlines():
        words = line.split()
        if not line[:1].isspace() and len(words) >= 8 and words[0] != "#":
            words[4] = "n"
            if words[:2] == ["smtp", "inet"]:
                words[0] = f"127.0.0.1:{port}"
            line = " ".join(words)
        lines.append(line)
    return "\n".join(lines) + "\n"


async def _command(folder: Path, what: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "postfix", "-c", folder, what, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def _listens(port: int, seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
