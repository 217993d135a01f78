"""Who is told, by a post to a URL, what becomes of a tenant's notifications. Needs a token of an admin."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from .calls import ID
from .errors import NotFound
from .rest import Tocsin
from .shapes import Answer, Page, plain

PATH: Final = "/v1/admin/webhooks"
CHANGED: Final = ("url", "events", "channels", "description", "enabled")


class Webhook(Answer):
    """A webhook; `secret` (`whsec_...`) is there only in the answers of `add` and `rotate`. `disabled_why`: `by_admin`,
    `gone`, `failing`."""

    id: str
    url: str
    events: tuple[str, ...]
    enabled: bool
    version: int
    channels: tuple[str, ...] | None = None
    description: str | None = None
    disabled_why: str | None = None
    failing_since: datetime | None = None
    secret: str | None = None


class Delivery(Answer):
    """One post and what its newest attempt came to; `state` is pending, delivered, failed or forgotten."""

    id: str
    event: str
    state: str
    attempts: int
    notification_id: str | None = None
    next_at: datetime | None = None
    tried_at: datetime | None = None
    status: int | None = None
    error: str | None = None
    duration_ms: int | None = None
    answer: str | None = None


class _Replayed(Answer):
    replayed: int


class Webhooks:
    """`Webhooks(tocsin).add("https://example.org/hook").secret`. Raises TocsinError like all of its connection."""

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin

    def add(
        self,
        url: str,
        events: Sequence[str] | None = None,
        description: str | None = None,
        channels: Sequence[str] | None = None,
    ) -> Webhook:
        """A new one; its secret is shown this once. Without `events`, told of every end and of reading; without
        `channels`, on all of them."""
        given = {"url": url, "events": list(events or ()) or None, "channels": list(channels or ()) or None}
        given |= {"description": description}
        return self._tocsin.ask(Webhook, "POST", PATH, json=_said(given))

    def all(self) -> Iterator[Webhook]:
        """The newest first."""
        return self._tocsin.items(Webhook, PATH)

    def get(self, id: str) -> Webhook:
        """That one, without its secret. Raises NotFound."""
        return self._tocsin.ask(Webhook, "GET", _path(id))

    def change(self, seen: Webhook, **changes: Any) -> Webhook:
        """With another `url`, `events`, `channels`, `description` or `enabled`. Raises Refused (412) when it was
        changed since."""
        said = {name: getattr(seen, name) for name in CHANGED} | changes
        headers = {"If-Match": f'"{seen.version}"'}
        return self._tocsin.ask(Webhook, "PUT", _path(seen.id), json=_said(said), headers=headers)

    def remove(self, id: str) -> None:
        """It goes with all its deliveries. Raises NotFound."""
        self._tocsin.delete(_path(id))

    def rotate(self, id: str) -> Webhook:
        """With a new secret, shown this once; the one before signs as well for a day. Raises NotFound."""
        return self._tocsin.ask(Webhook, "POST", f"{_path(id)}/rotate")

    def test(self, id: str, wait: float = 20.0) -> Delivery:
        """Posts a `webhook.test`, and waits so many seconds for what comes of it. Raises NotFound, Refused."""
        params = {"wait": f"{wait:g}"}
        return self._tocsin.ask(Delivery, "POST", f"{_path(id)}/test", params=params, wait=wait)

    def deliveries(self, id: str, state: str | None = None, limit: int = 50) -> tuple[Delivery, ...]:
        """The newest, perhaps only those of a `state`. Raises NotFound."""
        params = {"limit": str(limit)} | ({"state": state} if state else {})
        return self._tocsin.ask(Page[Delivery], "GET", f"{_path(id)}/deliveries", params=params).items

    def replay(self, id: str, *, delivery: str | None = None, since: datetime | str | None = None) -> int:
        """Posts one again, or all that have failed since; how many. Raises NotFound, Refused."""
        said = _said({"delivery_id": delivery, "since": since})
        return self._tocsin.ask(_Replayed, "POST", f"{_path(id)}/replay", json=said).replayed


def _said(given: dict[str, Any]) -> dict[str, Any]:
    return plain({name: value for name, value in given.items() if value is not None})


def _path(id: str) -> str:
    """Raises NotFound for what cannot be an id, before it can lead to another address."""
    if not ID.fullmatch(id):
        raise NotFound(404, "not_found", f"“{id}” is no id of a webhook")
    return f"{PATH}/{id}"
