"""A PostgreSQL that lets in over the network only who has a password, and only in private."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from deploy.local.ports import LOOPBACK, free_port
from deploy.local.postgres import SOCKET, Postgres
from deploy.local.server import Launch
from tests.secured.certificates import Authority

SSL_REQUEST: Final = bytes.fromhex("0000000804d2162f")
"""https://www.postgresql.org/docs/18/protocol-message-formats.html"""


class SecuredPostgres(Postgres):
    """Over the socket it is like any other; `private` is the way in over TLS, with a password (SCRAM)."""

    def __init__(self, state: Path, authority: Authority) -> None:
        super().__init__(state, durable=False)
        self.port = free_port()
        self.authority = authority
        self.door = TlsDoor(authority, self.port)

    def private(self, user: str, password: str, database: str, sslmode: str = "verify-full") -> str:
        """The URL of who comes in over TLS."""
        options = f"sslmode={sslmode}&sslrootcert={quote(str(self.authority.ca), safe='/')}"
        return f"postgresql://{user}:{quote(password)}@{LOOPBACK}:{self.door.port}/{database}?{options}"

    def prepare(self) -> Launch:
        launch = super().prepare()
        (self.data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        # Named by its port, which is not the usual one here; who comes over the socket need not know.
        (self.socket_folder / SOCKET).unlink(missing_ok=True)
        (self.socket_folder / SOCKET).symlink_to(f".s.PGSQL.{self.port}")
        return launch

    def _options(self) -> list[str]:
        network = {"listen_addresses": LOOPBACK, "port": str(self.port)}
        return [*super()._options(), *(part for name, value in network.items() for part in ("-c", f"{name}={value}"))]


class TlsDoor:
    """The server's side of TLS before a PostgreSQL that was built without it (the wheel's is): whoever does not ask
    for TLS, as libpq's protocol does, is turned away. It lives as long as the process of the tests."""

    def __init__(self, authority: Authority, behind: int) -> None:
        own = authority.identity("postgresql")
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(own.certificate, own.key)
        self._behind = behind
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=lambda: asyncio.run(self._let_in()), daemon=True).start()

    async def _let_in(self) -> None:
        async with await asyncio.start_server(self._talk, sock=self._listener) as door:
            await door.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(self._context)
                inner, outer = await asyncio.open_connection(LOOPBACK, self._behind)
                await asyncio.gather(_pass_on(reader, outer), _pass_on(inner, writer))
        writer.close()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Until either side is done; then both are."""
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()
