"""The catcher's fast twin: takes every mail as quickly as one process can, and only counts."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, cast

GREETING = b"220 sink.localhost ESMTP\r\n"
EHLO = b"250-sink.localhost\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 41943040\r\n"
OK = b"250 OK\r\n"
GO_AHEAD = b"354 go ahead\r\n"
END = b"\r\n.\r\n"
PLAIN = dict.fromkeys((b"MAIL", b"RCPT", b"RSET", b"NOOP", b"HELO"), OK)
LONGEST_LINE = 8192


@dataclass(slots=True)
class Count:
    """What came in: mails, their bytes, how often each Message-ID came, and how many of them were marked as copies."""

    mails: int = 0
    octets: int = 0
    message_ids: Counter[bytes] = field(default_factory=Counter)
    marked: Counter[bytes] = field(default_factory=Counter)
    waiters: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    def add(self, head: bytes, size: int) -> None:
        """Counts one mail by its header section."""
        self.mails += 1
        self.octets += size
        lower = head.lower()
        own_id = header(head, b"message-id", lower)
        self.message_ids[own_id] += 1
        if b"tocsin-copy:" in lower and header(head, b"tocsin-copy", lower):
            self.marked[own_id] += 1
        for waiter in self.waiters:
            if self.mails >= waiter[0]:
                waiter[1].set()

    def summary(self) -> dict[str, int]:
        """The figures, ready for JSON: `copies` are beyond the first of a Message-ID, `marked` say they may be."""
        distinct = len(self.message_ids)
        return {
            "mails": self.mails,
            "octets": self.octets,
            "distinct": distinct,
            "copies": self.mails - distinct,
            "marked": self.marked.total(),
        }

    def clear(self) -> None:
        """Starts again at nothing."""
        self.mails = self.octets = 0
        self.message_ids.clear()
        self.marked.clear()


def header(head: bytes, name: bytes, lower: bytes | None = None) -> bytes:
    """The value of a header, `name` in lower case; empty when there is none. Folded ones are put together.

    `lower` is the head in lower case, where it is known already.
    """
    lower = head.lower() if lower is None else lower
    start = 0 if lower.startswith(name + b":") else lower.find(b"\r\n" + name + b":") + 2
    if start == 1:
        return b""
    start += len(name) + 1
    end = start
    while True:
        end = head.find(b"\r\n", end)
        if end < 0:
            end = len(head)
        elif head[end + 2 : end + 3] in (b" ", b"\t"):
            end += 2
            continue
        return b"".join(head[start:end].split())


class SinkProtocol(asyncio.Protocol):
    """One connection. Answers to everything that arrived together leave together, in order."""

    def __init__(self, count: Count) -> None:
        self._count = count
        self._rest = b""
        self._searched = 0
        self._in_data = False
        self._chunk: int | None = None
        self._earlier: list[bytes] = []
        self._last = True
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._transport.write(GREETING)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        answers: list[bytes] = []
        position = 0
        while (after := self._step(data, position, answers)) is not None:
            position = after
        self._rest = data[position:]
        if answers:
            self._transport.write(b"".join(answers))
        if not self._in_data and self._chunk is None and len(self._rest) > LONGEST_LINE:
            self._transport.close()

    def _step(self, data: bytes, at: int, answers: list[bytes]) -> int | None:
        """Takes what begins at `at`: a command, a message or a chunk. Where it ends, or None: it is not all there."""
        if self._in_data:
            return self._message(data, at, answers)
        if self._chunk is not None:
            return self._octets(data, at, answers)
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        if answer := PLAIN.get(data[at : at + 4]) or self._answer(data[at:end]):
            answers.append(answer)
        return end + 2

    def _message(self, data: bytes, at: int, answers: list[bytes]) -> int | None:
        # An empty mail ends on a dot right after DATA's own line end.
        empty = data.startswith(b".\r\n", at)
        end = at - 2 if empty else data.find(END, max(at, at + self._searched))
        if end < 0 and not empty:
            self._searched = max(0, len(data) - at - len(END) + 1)
            return None
        self._take(data[at : max(at, end)])
        self._in_data, self._searched = False, 0
        answers.append(OK)
        return end + len(END)

    def _octets(self, data: bytes, at: int, answers: list[bytes]) -> int | None:
        """A chunk of RFC 3030; a mail may have several."""
        size = self._chunk or 0
        if len(data) - at < size:
            return None
        self._earlier.append(data[at : at + size])
        self._chunk = None
        if self._last:
            self._take(b"".join(self._earlier))
            self._earlier.clear()
        answers.append(OK)
        return at + size

    def _take(self, mail: bytes) -> None:
        end = mail.find(b"\r\n\r\n")
        self._count.add(mail if end < 0 else mail[:end], len(mail))

    def _answer(self, line: bytes) -> bytes:
        """To everything that is not in PLAIN; nothing where the answer comes after the octets that follow."""
        verb, *words = line.upper().split()[:3] or [b""]
        match verb[:4]:
            case b"BDAT" if words and words[0].isdigit():
                self._chunk, self._last = int(words[0]), b"LAST" in words
                return b""
            case b"DATA":
                self._in_data = True
                return GO_AHEAD
            case b"EHLO":
                return EHLO
            case b"QUIT":
                asyncio.get_running_loop().call_soon(self._transport.close)
                return b"221 bye\r\n"
            case b"XSTA":
                return b"250 " + json.dumps(self._count.summary()).encode() + b"\r\n"
            case b"XCLE":
                self._count.clear()
                return OK
            case plain if plain in PLAIN:
                return OK
        return b"500 not known here\r\n"


class Sink:
    """A sink in this process: `async with Sink() as sink:`, then send to `sink.port` and read `sink.count`."""

    def __init__(self, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.count = Count()
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None, "start it first"
        return int(self._server.sockets[0].getsockname()[1])

    async def wait_for(self, mails: int, *, timeout: float) -> None:
        """Returns when that many came in. Raises TimeoutError saying how many did."""
        if self.count.mails >= mails:
            return
        waiter = (mails, asyncio.Event())
        self.count.waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter[1].wait()
        except TimeoutError:
            raise TimeoutError(f"{self.count.mails} of {mails} mails after {timeout:g} s") from None
        finally:
            self.count.waiters.remove(waiter)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SinkProtocol(self.count), self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()


async def ask(port: int, command: str = "XSTAT", host: str = "127.0.0.1") -> dict[str, int]:
    """What a sink in another process counted; `XCLEAR` makes it start again (and answers with nothing)."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(command.encode() + b"\r\n")
        await reader.readline()
        answer = (await reader.readline())[4:]
        return dict(json.loads(answer)) if answer.startswith(b"{") else {}
    finally:
        writer.close()


async def run(port: int, host: str) -> None:
    """Counts until SIGTERM or SIGINT, then prints the figures."""
    ended = asyncio.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(ending, ended.set)
    async with Sink(port=port, host=host) as sink:
        print(f"sink: SMTP on {host}:{sink.port}", flush=True)
        await ended.wait()
        print(json.dumps(sink.count.summary()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    import uvloop

    uvloop.run(run(given.port, given.host))


if __name__ == "__main__":
    main()
