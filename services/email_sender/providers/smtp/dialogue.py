"""What the server says on one connection, reply by reply, in the order of what it was asked."""

import asyncio
from collections import deque
from functools import lru_cache
from typing import Final, cast

from kit.clock import monotonic
from services.email_sender.rules.replies import Reply

LONGEST_LINE: Final = 8192
MOST_LINES: Final = 100
CLOSING: Final = 421

MALFORMED: Final = Reply(0, "", "an answer that is none")


class Dialogue(asyncio.Protocol):
    """Takes over a connection that is open already. A connection that ends, or is ended by `give_up`, wakes whoever
    waits; what was said until then counts."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._lines: list[bytes] = []
        self._replies: deque[Reply] = deque()
        self._waiters: deque[tuple[int, asyncio.Future[list[Reply]]]] = deque()
        self._gathered: list[bytes] = []
        self._gathered_at = 0.0
        self._octets = 0
        self.ended = transport.is_closing()
        """Perhaps already: whoever held it before us heard that, and we do not."""
        self.closing = False
        """The server said 421: it did nothing of what it was asked afterwards (RFC 5321, 3.8)."""
        self.written = 0
        """Bytes since we took over."""
        self.lag = 0.0
        """Seconds for which the last writing waited for its turn: so busy are we ourselves."""
        self.unsent = 0
        """So many of the last bytes had not even left our own end when the connection was given up."""
        transport.set_protocol(self)

    @property
    def quiet(self) -> bool:
        """Open, and nothing was said that nobody asked for (a 421 before it closes, say)."""
        return not (self.ended or self._replies or self._rest or self._lines or self._transport.is_closing())

    @property
    def waiting(self) -> int:
        """Bytes that have not left our own end yet."""
        return self._octets + self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Leaves with all else that is written in this turn of the loop: each sending is a call of the system's."""
        self.written += len(data)
        if self.ended:
            self.unsent += len(data)
            return
        self._gathered.append(data)
        self._octets += len(data)
        if len(self._gathered) == 1:
            self._gathered_at = monotonic()
            self._loop.call_soon(self._send)

    async def replies(self, count: int) -> list[Reply]:
        """The next `count` replies, after those that others wait for; fewer when the connection ended before."""
        if (self._waiters or len(self._replies) < count) and not self.ended:
            waiter: asyncio.Future[list[Reply]] = self._loop.create_future()
            self._waiters.append((count, waiter))
            return await waiter
        return self._next(count)

    def give_up(self) -> None:
        """The time is over: the connection is cut, and nothing more comes."""
        self.unsent = self.unsent or self.waiting
        self._end()
        self._transport.abort()

    def close(self) -> None:
        """Politely, without waiting for the answer."""
        if not self._transport.is_closing():
            self._gathered.append(b"QUIT\r\n")
            self._send()
            self._transport.close()

    # ----------------------------------------------------------------------------------------------- from the transport

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line[3:4] == b"-":
                self._lines.append(line)
                continue
            reply = _of_lines([*self._lines, line]) if self._lines else _of_line(line)
            self._replies.append(reply)
            self._lines.clear()
            if reply.code == CLOSING:
                self.closing = True
        if len(self._rest) > LONGEST_LINE or len(self._lines) > MOST_LINES:
            self.give_up()
        else:
            self._wake()

    def eof_received(self) -> bool:
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _send(self) -> None:
        data, self._gathered, self._octets = self._gathered, [], 0
        self.lag = monotonic() - self._gathered_at
        if data and not self.ended:
            self._transport.write(b"".join(data))

    def _end(self) -> None:
        if not self.ended:
            self.unsent = self.unsent or self._octets
            self._gathered, self._octets = [], 0
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        """Everybody in turn, as far as there is something for them, or nothing comes any more."""
        while self._waiters and (self.ended or len(self._replies) >= self._waiters[0][0]):
            count, waiter = self._waiters.popleft()
            replies = self._next(count)
            if not waiter.done():
                waiter.set_result(replies)

    def _next(self, count: int) -> list[Reply]:
        return [self._replies.popleft() for _ in range(min(count, len(self._replies)))]


def _of_lines(lines: list[bytes]) -> Reply:
    if not (code := _code(lines[-1])):
        return MALFORMED
    return Reply.of(code, " ".join(line[4:].rstrip().decode("utf-8", "replace") for line in lines))


@lru_cache(maxsize=256)
def _of_line(line: bytes) -> Reply:
    """Most answers are one of a few."""
    return _of_lines([line])


def _code(line: bytes) -> int:
    return int(line[:3]) if line[:3].isdigit() and len(line) >= 3 else 0


def transport_of(transport: asyncio.BaseTransport | None) -> asyncio.Transport:
    """aiosmtplib types what it opened less closely than it is."""
    return cast(asyncio.Transport, transport)
