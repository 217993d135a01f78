"""What the sender is compared with: a bare pipelined SMTP client, and pooled aiosmtplib; each sends ready bytes.

`python -m benchmarks.smtp_clients NAME PORT MAILS SEED` prints the seconds that it took.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Final, cast

import uvloop
from aiosmtplib import SMTP

from benchmarks.dues import dues
from kit.delivery.provider import Parcel
from services.email_sender.composing.mail import Author, Mail, compose

CONNECTIONS: Final = 8
DIFFERENT: Final = 200
AUTHOR: Final = Author.of("bench@example.com")


def mails(seed: int, count: int) -> Iterator[Mail]:
    """`count` mails, composed beforehand; the same few hundred over and over."""
    now = datetime.now(UTC)
    made = [compose(Parcel(due), AUTHOR, now) for due in dues("peers", seed, min(count, DIFFERENT))]
    ready = [one._replace(message=one.message.replace(b"\r\n.", b"\r\n..")) for one in made]
    return (ready[number % len(ready)] for number in range(count))


class Bare(asyncio.Protocol):
    """One connection: MAIL, RCPT and DATA in one piece, then the message; nothing is checked but that it goes on."""

    def __init__(self, todo: Iterator[Mail]) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._todo = todo
        self._mail: Mail | None = None
        self._wanted = 2  # the greeting, and the answer to HELO
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"HELO bench\r\n")

    def data_received(self, data: bytes) -> None:
        self._wanted -= data.count(b"\n")
        if self._wanted > 0:
            return
        if self._mail:
            self._transport.write(self._mail.message + b".\r\n")
            self._mail, self._wanted = None, 1
        elif mail := next(self._todo, None):
            self._mail, self._wanted = mail, 3
            self._transport.write(f"MAIL FROM:<{mail.sender}>\r\nRCPT TO:<{mail.recipient}>\r\nDATA\r\n".encode())
        else:
            self._transport.close()
            self.done.set_result(None)


async def bare(port: int, todo: Iterator[Mail]) -> None:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Bare(todo), "127.0.0.1", port) for _ in range(CONNECTIONS)]
    await asyncio.gather(*(protocol.done for _, protocol in made))


async def pooled(port: int, todo: Iterator[Mail]) -> None:
    """Each connection of aiosmtplib is kept for all of its mails."""

    async def one() -> None:
        async with SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False) as client:
            for mail in todo:
                await client.sendmail(mail.sender, [mail.recipient], mail.message)

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


CLIENTS: Final[dict[str, Callable[[int, Iterator[Mail]], Awaitable[None]]]] = {"bare": bare, "aiosmtplib": pooled}


async def run(name: str, port: int, count: int, seed: int) -> float:
    """Seconds for `count` mails."""
    todo = mails(seed, count)
    begun = time.monotonic()
    await CLIENTS[name](port, todo)
    return time.monotonic() - begun


if __name__ == "__main__":
    print(uvloop.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
