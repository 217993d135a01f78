"""What is said of REST's rate: our figure, the peer's beside it, and whether the promise holds."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from benchmarks.load import load, request
from benchmarks.post import BATCHED, TIMES, Figure, Result
from tests.benchmarks.test_end_to_end import HERE

RESULT = Result(Figure(4000.0, {"gateway": 100.0}), Figure(BATCHED, {}), Figure(1000.0, {"peer": TIMES * 100}), 0, HERE)


@pytest.mark.parametrize(
    ("result", "holds"),
    [
        (RESULT, True),
        (replace(RESULT, ours=Figure(4000.0, {"gateway": 101.0})), False),
        (replace(RESULT, batch=Figure(BATCHED - 1, {})), False),
        (replace(RESULT, wrong=1), False),
    ],
    ids=["kept", "not quick enough beside the peer", "batches too slow", "a wrong answer"],
)
def test_a_promise_that_is_not_kept_fails(result: Result, holds: bool) -> None:
    assert result.holds is holds
    assert "a CPU, 2 cores" in str(result)


async def test_a_wrong_answer_is_counted() -> None:
    """Answers come in pieces, one is no 202; each request is answered before the next one on its connection."""
    answers = [
        b"HTTP/1.1 202 Accepted\r\ncontent-length: 4\r\n\r\nokay",
        b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
    ]
    asked = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b"":
            asked.append(head + await reader.readexactly(2))
            for byte in answers[len(asked) % 2]:
                writer.write(bytes([byte]))
            await writer.drain()

    listener = socket.create_server(("127.0.0.1", 0))
    server = await asyncio.start_server(answer, sock=listener)
    async with server:
        told = await load(listener.getsockname()[1], request("/x", "token", b"{}"), requests=6, connections=2)
    assert told["wrong"] == 3
    assert len(asked) == 6
    assert all(one.startswith(b"POST /x HTTP/1.1") and one.endswith(b"{}") for one in asked)
