"""What each method asks of the gateway, and what its answer means, for those that wait and those that await alike."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic

import httpx
from pydantic import ValidationError

from .errors import NotFound, Refused, Strange, TokenRefused, of_problem
from .shapes import Ask, Body, Model, Notification, Results, plain

PATH: Final = "/v1/notifications"
AGAIN_AFTER: Final = (0.2, 1.0)
"""Seconds before a second and a third try, where the gateway is away or says 503. Keys make a repeat harmless."""
LONGEST_PAUSE: Final = 10.0
"""Seconds of a `Retry-After` that are heeded; who is asked to wait for longer is told that it is away."""
GLANCES: Final = (0.05, 0.1, 0.2, 0.5)
"""Seconds between two looks at something that has not ended; the last one repeats, a change begins anew."""
BUSY: Final = 503
KEY: Final = "Idempotency-Key"
LONGEST_KEY: Final = 255

ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True, slots=True)
class Call(Generic[Model]):
    """One request, and the model of its answer."""

    answer: type[Model]
    method: str
    path: str
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0
    """Seconds that the gateway was asked to take before it answers."""


def notify(ask: Ask, key: str | None, wait: float) -> Call[Notification]:
    """Ask for one."""
    params = {"wait": f"{wait:g}"} if wait else {}
    return Call(Notification, "POST", PATH, plain(ask), keyed(key), params, wait)


def batch(asks: Sequence[Ask | Body]) -> Call[Results]:
    """Ask for many; each gets a key, so that a repeat makes no second one."""
    items = [{"idempotency_key": str(uuid.uuid4()), **plain(ask)} for ask in asks]
    return Call(Results, "POST", f"{PATH}/batch", {"notifications": items})


def get(id: str) -> Call[Notification]:
    """See one. Raises NotFound for what cannot be an id."""
    return Call(Notification, "GET", _path(id))


def cancel(id: str) -> Call[Notification]:
    """Ask for its end. Raises NotFound for what cannot be an id."""
    return Call(Notification, "DELETE", _path(id))


def _path(id: str) -> str:
    """Raises NotFound for what cannot be an id, before it can lead to another address."""
    if not ID.fullmatch(id):
        raise NotFound(404, "not_found", f"“{id}” is no id of a notification")
    return f"{PATH}/{id}"


def keyed(key: str | None) -> dict[str, str]:
    """The header with this key; None: with a new one. Raises Refused for what no header can carry: another key in its
    place would not be the same request."""
    if key is None:
        return {KEY: str(uuid.uuid4())}
    if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        why = f"is a text of 1 to {LONGEST_KEY} characters of ASCII"
        raise Refused(422, "validation_failed", f"{KEY}: {why}", [(KEY, why)])
    return {KEY: key}


def patience(timeout: float, wait: float = 0) -> httpx.Timeout:
    """How long an answer may take: `timeout`, and what the gateway was asked to wait for."""
    return httpx.Timeout(timeout + wait, connect=min(timeout, 3.0))


def pause(answer: httpx.Response, usual: float) -> float:
    """Seconds before the next try: what the gateway asks for, where that is longer than usual."""
    asked = answer.headers.get("retry-after", "")
    return max(usual, min(float(asked), LONGEST_PAUSE)) if asked.isascii() and asked.isdigit() else usual


def checked(token: str) -> str:
    """The token. Raises TokenRefused for what no header can carry."""
    if not (token.isascii() and token.isprintable() and token):
        raise TokenRefused(401, "unauthorized", "what was given is no token at all")
    return token


def told(url: str, answer: httpx.Response, model: type[Model]) -> Model:
    """The answer as this model. Raises Refused, or Strange for what is not Tocsin's."""
    if not answer.is_success:
        raise of_problem(answer.status_code, answer.content)
    try:
        return model.model_validate_json(answer.content)
    except ValidationError:
        raise Strange(url, answer.status_code) from None
