"""The same with `await`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

import httpx

from . import calls
from .calls import AGAIN_AFTER, BUSY, GLANCES, Call
from .errors import NotYet, Unreachable
from .shapes import Ask, Body, Model, Notification, Result


class AsyncTocsin:
    """`async with AsyncTocsin(url, token) as tocsin: await tocsin.notify(channel="email", ...)`.

    One is enough for a program. Every method raises TocsinError, as those of `Tocsin` do.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 10.0) -> None:
        """`timeout` in seconds is for one answer, on top of its `wait`; what fails because the gateway is away is tried
        three times, after the pause that it asks for."""
        self.url = url.rstrip("/")
        self._timeout = timeout
        headers = {"Authorization": f"Bearer {calls.checked(token)}"}
        try:
            self._http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=calls.patience(timeout))
        except httpx.InvalidURL as error:
            raise Unreachable(self.url, error) from None

    async def notify(self, *, key: str | None = None, wait: float = 0, **ask: Unpack[Ask]) -> Notification:
        """Ask for a notification; once this returns it cannot get lost. `key` and `wait` as with `Tocsin.notify`."""
        return await self.call(calls.notify(ask, key, wait))

    async def batch(self, asks: Sequence[Ask | Body]) -> tuple[Result, ...]:
        """Ask for up to 1,000 at once; each has its own result, in this order."""
        return (await self.call(calls.batch(asks))).results

    async def get(self, id: str) -> Notification:
        """The notification with everything that happened to it. Raises NotFound."""
        return await self.call(calls.get(id))

    async def watch(self, id: str, seconds: float | None = None) -> AsyncIterator[Notification]:
        """The notification now, and again after each change, until it has ended. Raises NotYet after `seconds`."""
        over = None if seconds is None else time.monotonic() + seconds
        known, pauses = None, iter(GLANCES)
        while True:
            seen = await self.get(id)
            if seen != known:
                known, pauses = seen, iter(GLANCES)
                yield seen
            if seen.has_ended:
                return
            if over is not None and time.monotonic() >= over:
                raise NotYet(id, seen.status, seconds or 0)
            await asyncio.sleep(next(pauses, GLANCES[-1]))

    async def wait(self, id: str, seconds: float | None = 30.0) -> Notification:
        """The notification as soon as it has ended. Raises NotYet; None waits as long as that takes."""
        last = [seen async for seen in self.watch(id, seconds)]
        return last[-1]

    async def cancel(self, id: str) -> Notification:
        """Ask for its end; `wait` tells whether that came in time. The status is what it was at the request."""
        return await self.call(calls.cancel(id))

    async def call(self, call: Call[Model]) -> Model:
        """Any call of the modules beside this one."""
        answer = await self._answer(
            call.method,
            call.path,
            json=call.json,
            headers=call.headers,
            params=call.params,
            timeout=calls.patience(self._timeout, call.wait),
        )
        return calls.told(self.url, answer, call.answer)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        for pause in AGAIN_AFTER:
            try:
                answer = await self._http.request(method, path, **more)
                if answer.status_code != BUSY:
                    return answer
                pause = calls.pause(answer, pause)
            except httpx.TransportError:
                pass
            await asyncio.sleep(pause)
        try:
            return await self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise Unreachable(self.url, error) from None
