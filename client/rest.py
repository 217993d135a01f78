"""Tocsin over REST, for programs that would rather call a function: ask, look, wait, cancel."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Literal, Self, TypedDict, TypeVar, Unpack

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from client.errors import NotFound, NotYet, Strange, TokenRefused, Unreachable, of_problem
from contracts.status import FINAL, TAKEN

AGAIN_AFTER: Final = (0.2, 1.0)
"""Seconds before a second and a third try, where the gateway is away or says 503. Keys make a repeat harmless."""
GLANCES: Final = (0.05, 0.1, 0.2, 0.5)
"""Seconds between two looks at something that has not ended; the last one repeats, a change begins anew."""
BUSY: Final = 503
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")

Body = Mapping[str, Any]


class Ask(TypedDict, total=False):
    """What a notification is made of; the API's documentation has the meaning of each. Leave out what is not needed."""

    channel: Literal["email", "sms", "inapp"]
    channels: Sequence[Literal["email", "sms", "inapp"]]
    to: str
    user_id: str
    subject: str
    body: str
    html: str
    template: str
    data: Mapping[str, Any]
    locale: str
    kind: str
    category: str
    lane: Literal["urgent", "normal", "bulk"]
    send_at: datetime | str
    time_zone: str
    fold: Literal[0, 1]
    expires_at: datetime | str
    group: str
    collapse_key: str
    reply_to: str
    attachments: Sequence[Body]
    escalate: Sequence[Body]
    metadata: Mapping[str, str]


class _Answer(BaseModel):
    """Fields that a newer gateway adds are kept, and break nothing."""

    model_config = ConfigDict(frozen=True, extra="allow", validate_by_name=True, validate_by_alias=True)


Model = TypeVar("Model", bound=_Answer)


class Line(_Answer):
    """One thing that happened; `event` is a status or one of the words of the API's documentation."""

    at: datetime
    event: str
    try_: int | None = Field(default=None, alias="try")
    attempt: int | None = None
    provider: str | None = None
    detail: str | None = None


class Notification(_Answer):
    """A notification as it was when the gateway answered. The answer to a request has no timeline yet."""

    id: str
    status: str
    reason: str | None = None
    detail: str | None = None
    channel: str | None = None
    channels: tuple[str, ...] | None = None
    lane: str | None = None
    to: str | None = None
    user_id: str | None = None
    subject: str | None = None
    group: str | None = None
    created_at: datetime | None = None
    send_at: datetime | None = None
    expires_at: datetime | None = None
    sent_at: datetime | None = None
    attempts: int = 0
    provider: str | None = None
    timeline: tuple[Line, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Nothing but a provider's later word (delivered, undelivered) changes it any more."""
        return self.status in FINAL

    @property
    def was_sent(self) -> bool:
        """A provider, or the person's inbox, took it, and nobody has said that it did not arrive."""
        return self.status in TAKEN and self.status != "undelivered"


class Result(_Answer):
    """The fate of one item of a batch: an id, or the problem that it has."""

    id: str | None = None
    status: str | None = None
    error: Mapping[str, Any] | None = None


class _Results(_Answer):
    results: tuple[Result, ...]


class Tocsin:
    """`with Tocsin("http://127.0.0.1:8000", token) as tocsin: tocsin.notify(channel="email", ...)`.

    May be shared by threads. Every method raises TocsinError, whose text says what to do; see `client.errors`.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 10.0) -> None:
        """`timeout` in seconds is for one answer; what fails because the gateway is away is tried three times."""
        self.url = url.rstrip("/")
        if not (token.isascii() and token.isprintable() and token):
            raise TokenRefused(401, "unauthorized", "what was given is no token at all")
        patience = httpx.Timeout(timeout, connect=min(timeout, 3.0))
        try:
            self._http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=patience)
        except httpx.InvalidURL as error:
            raise Unreachable(self.url, error) from None

    def notify(self, *, key: str | None = None, wait: float = 0, **ask: Unpack[Ask]) -> Notification:
        """Ask for a notification; once this returns it cannot get lost.

        The same `key` with the same content is one notification, however often it is asked for; without one, each call
        is a new one. `wait` (up to 30 s) returns the outcome, if there is one by then.
        """
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        query = {"wait": f"{wait:g}"} if wait else {}
        return self._call(Notification, "POST", "/v1/notifications", json=_json(ask), headers=headers, params=query)

    def batch(self, asks: Sequence[Ask | Body]) -> tuple[Result, ...]:
        """Ask for up to 1,000 at once; each has its own result, in this order. An item's key is `idempotency_key`."""
        items = [{"idempotency_key": str(uuid.uuid4()), **_json(ask)} for ask in asks]
        return self._call(_Results, "POST", "/v1/notifications/batch", json={"notifications": items}).results

    def get(self, id: str) -> Notification:
        """The notification with everything that happened to it. Raises NotFound."""
        return self._call(Notification, "GET", _path(id))

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
        return self._call(Notification, "DELETE", _path(id))

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, model: type[Model], method: str, path: str, **more: Any) -> Model:
        answer = self._answer(method, path, **more)
        if not answer.is_success:
            raise of_problem(answer.status_code, answer.content)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError:
            raise Strange(self.url, answer.status_code) from None

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The last answer of three tries."""
        for pause in AGAIN_AFTER:
            try:
                answer = self._http.request(method, path, **more)
                if answer.status_code != BUSY:
                    return answer
            except httpx.TransportError:
                pass
            time.sleep(pause)
        try:
            return self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise Unreachable(self.url, error) from None


def _path(id: str) -> str:
    """Raises NotFound for what cannot be an id, before it can lead to another address."""
    if not _ID.fullmatch(id):
        raise NotFound(404, "not_found", f"“{id}” is no id of a notification")
    return f"/v1/notifications/{id}"


def _json(ask: Body) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in ask.items()}
