"""What has failed in a tenant, and sending it again. Needs a token of an admin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from .calls import ID
from .errors import NotFound
from .rest import Tocsin
from .shapes import Answer, Notification, Page, plain

PATH: Final = "/v1/admin/failed"


class Replayed(Answer):
    """The new notification, and whose replay it is; `first` is false when it had been replayed already."""

    id: str
    replay_of: str
    status: str
    first: bool


class Skipped(Answer):
    """One that could not be replayed, and why."""

    id: str
    why: str


class Replays(Answer):
    """What came of one call; `next` is where the next one goes on."""

    replayed: tuple[Replayed, ...]
    skipped: tuple[Skipped, ...]
    next: str | None = None


class FailedOnes:
    """`FailedOnes(tocsin).replay_all(channel="email")`. Raises TocsinError like everything of its connection."""

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin

    def look(self, limit: int = 50, **which: str | datetime | None) -> tuple[Notification, ...]:
        """The newest, narrowed by `status`, `reason`, `channel`, `to`, `user_id`, `group`, `since`."""
        wanted = _wanted(which) | {"limit": str(limit)}
        return self._tocsin.ask(Page[Notification], "GET", PATH, params=wanted).items

    def replay(self, id: str) -> Replayed:
        """Sends one again; the same one while its replay has not failed. Raises Refused, NotFound."""
        if not ID.fullmatch(id):
            raise NotFound(404, "not_found", f"“{id}” is no id of a notification")
        return self._tocsin.ask(Replayed, "POST", f"{PATH}/{id}/replay")

    def replay_all(self, **which: str | datetime | None) -> Iterator[Replays]:
        """Sends all of them again, a thousand at a time; each thing that `look` knows may narrow them."""
        after: dict[str, str] = {}
        while True:
            done = self._tocsin.ask(Replays, "POST", f"{PATH}/replay", json=_wanted(which) | after)
            yield done
            if done.next is None:
                return
            after = {"after": done.next}


def _wanted(which: Mapping[str, Any]) -> dict[str, Any]:
    return plain({name: value for name, value in which.items() if value is not None})
