"""Connections into the world only: the address that is connected to is the very one that was judged."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import httpcore

from services.gateway.rules.reaching import Network, is_refused

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, in the order in which they are to be tried."""

MOST_ADDRESSES: Final = 4


class Refused(Exception):
    """All addresses of the host lie inside of the house, or are nobody's."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """As the machine does it. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Outward(httpcore.AsyncNetworkBackend):
    """What httpcore connects by. A name is looked up once, here: between judging and connecting nobody can change
    what it means (DNS rebinding)."""

    def __init__(self, permitted: Sequence[Network], resolve: Resolve = resolve) -> None:
        """`permitted`: networks of the house that may be reached."""
        self._permitted = permitted
        self._resolve = resolve
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises Refused, OSError for a name that nobody knows, and what httpcore raises."""
        async with asyncio.timeout(timeout):
            found = await self._resolve(host, port)
        addresses = [one for one in found if not is_refused(one, self._permitted)][:MOST_ADDRESSES]
        if not addresses:
            raise Refused
        for last, address in enumerate(addresses, 1 - len(addresses)):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not last:
                    raise
        raise AssertionError("unreachable")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise Refused

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
