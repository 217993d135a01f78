"""Tocsin over REST, for programs that would rather call a function: ask, look, wait, cancel."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

import httpx

from . import calls
from .calls import AGAIN_AFTER, BUSY, GLANCES, Call
from .errors import NotYet, Unreachable, of_problem
from .shapes import Ask, Body, Item, Model, Notification, Page, Result


class Tocsin:
    """`with Tocsin("http://127.0.0.1:8000", token) as tocsin: tocsin.notify(channel="email", ...)`.

    May be shared by threads. Every method raises TocsinError, whose text says what to do; see `errors`.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 10.0) -> None:
        """`timeout` in seconds is for one answer, on top of its `wait`; what fails because the gateway is away is tried
        three times, after the pause that it asks for."""
        self.url = url.rstrip("/")
        self._timeout = timeout
        headers = {"Authorization": f"Bearer {calls.checked(token)}"}
        try:
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=calls.patience(timeout))
        except httpx.InvalidURL as error:
            raise Unreachable(self.url, error) from None

    def notify(self, *, key: str | None = None, wait: float = 0, **ask: Unpack[Ask]) -> Notification:
        """Ask for a notification; once this returns it cannot get lost.

        The same `key` with the same content is one notification, however often it is asked for; without one, each call
        is a new one. `wait` (up to 30 s) returns the outcome, if there is one by then.
        """
        return self.call(calls.notify(ask, key, wait))

    def batch(self, asks: Sequence[Ask | Body]) -> tuple[Result, ...]:
        """Ask for up to 1,000 at once; each has its own result, in this order. An item's key is `idempotency_key`."""
        return self.call(calls.batch(asks)).results

    def get(self, id: str) -> Notification:
        """The notification with everything that happened to it. Raises NotFound."""
        return self.call(calls.get(id))

    def watch(self, id: str, seconds: float | None = None) -> Iterator[Notification]:
        """The notification now, and again after each change, until it has ended. Raises NotYet after `seconds`."""
        over = None if seconds is None else time.monotonic() + seconds
        known, pauses = None, iter(GLANCES)
        while True:
            seen = self.get(id)
            if seen != known:
                known, pauses = seen, iter(GLANCES)
                yield seen
            if seen.has_ended:
                return
            if over is not None and time.monotonic() >= over:
                raise NotYet(id, seen.status, seconds or 0)
            time.sleep(next(pauses, GLANCES[-1]))

    def wait(self, id: str, seconds: float | None = 30.0) -> Notification:
        """The notification as soon as it has ended. Raises NotYet; None waits as long as that takes."""
        *_, last = self.watch(id, seconds)
        return last

    def cancel(self, id: str) -> Notification:
        """Ask for its end; `wait` tells whether that came in time. The status is what it was at the request."""
        return self.call(calls.cancel(id))

    def call(self, call: Call[Model]) -> Model:
        """Any call of the modules beside this one."""
        answer = self._answer(
            call.method,
            call.path,
            json=call.json,
            headers=call.headers,
            params=call.params,
            timeout=calls.patience(self._timeout, call.wait),
        )
        return calls.told(self.url, answer, call.answer)

    def ask(self, answer: type[Model], method: str, path: str, **more: Any) -> Model:
        """The same, put together here: `json`, `headers`, `params`."""
        return self.call(Call(answer, method, path, **more))

    def items(self, of: type[Item], path: str, narrowed: Mapping[str, str] | None = None) -> Iterator[Item]:
        """All of them, page after page."""
        params = dict(narrowed or {})
        while True:
            seen = self.ask(Page[of], "GET", path, params=params)  # type: ignore[valid-type]
            yield from seen.items
            if seen.next is None:
                return
            params["after"] = seen.next

    def delete(self, path: str) -> None:
        """What is there no more. Raises NotFound."""
        answer = self._answer("DELETE", path)
        if not answer.is_success:
            raise of_problem(answer.status_code, answer.content)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The last answer of three tries."""
        for pause in AGAIN_AFTER:
            try:
                answer = self._http.request(method, path, **more)
                if answer.status_code != BUSY:
                    return answer
                pause = calls.pause(answer, pause)
            except httpx.TransportError:
                pass
            time.sleep(pause)
        try:
            return self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise Unreachable(self.url, error) from None
