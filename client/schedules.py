"""What comes again and again, over REST: make it, look at it, try it out, switch it, run it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from .calls import ID, keyed
from .errors import NotFound
from .rest import Tocsin
from .shapes import Answer

PATH: Final = "/v1/schedules"
ASKED: Final = (
    "name",
    "cron",
    "every_seconds",
    "time_zone",
    "starts_at",
    "ends_at",
    "misfire",
    "enabled",
    "recipients",
    "notification",
)
"""The fields that one asks for; the others are answers."""


class Schedule(Answer):
    """A schedule as it was when the gateway answered."""

    id: str
    version: int
    name: str | None = None
    cron: str | None = None
    every_seconds: int | None = None
    time_zone: str
    misfire: str
    enabled: bool
    recipients: Sequence[str | Mapping[str, str]]
    notification: Mapping[str, Any]
    created_at: datetime
    next_at: datetime | None = None


class Firing(Answer):
    """A firing to come; `note` is "gap" or "overlap" where the clocks change."""

    at: datetime
    local: str
    note: str | None = None


class Preview(Answer):
    """The firings to come, by the zone data of this edition."""

    firings: tuple[Firing, ...]
    time_zone: str
    tzdata: str


class Run(Answer):
    """It fires once now; `notifications` are the ids of what comes of it."""

    id: str
    run_id: str
    notifications: tuple[str, ...]


class Schedules:
    """`Schedules(tocsin).create(cron="0 8 * * *", time_zone="Europe/Paris", recipients=["ann"], notification={...})`.

    Raises TocsinError like everything of the connection it goes by.
    """

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin

    def create(self, *, key: str | None = None, **asked: Any) -> Schedule:
        """Makes one. The same `key` with the same content is one schedule, however often it is asked for."""
        return self._tocsin.ask(Schedule, "POST", PATH, json=asked, headers=keyed(key))

    def all(self) -> Iterator[Schedule]:
        """One's own, the newest first; an admin's are all of the tenant."""
        return self._tocsin.items(Schedule, PATH)

    def get(self, id: str) -> Schedule:
        """One of them. Raises NotFound."""
        return self._tocsin.ask(Schedule, "GET", _path(id))

    def switch(self, id: str, *, on: bool) -> Schedule:
        """On or off; raises a problem (412) where somebody else changed it in between."""
        seen = self.get(id).model_dump(mode="json", exclude_none=True)
        asked = {name: seen[name] for name in ASKED if name in seen} | {"enabled": on}
        return self._tocsin.ask(Schedule, "PUT", _path(id), json=asked, headers={"If-Match": f'"{seen["version"]}"'})

    def preview(self, id: str, count: int = 5) -> Preview:
        """Its next firings."""
        return self._tocsin.ask(Preview, "GET", _path(id, "/preview"), params={"n": str(count)})

    def foretell(self, cron: str, time_zone: str, count: int = 5) -> Preview:
        """The next firings of a cron that no schedule has yet."""
        asked = {"cron": cron, "time_zone": time_zone, "n": str(count)}
        return self._tocsin.ask(Preview, "GET", f"{PATH}/preview", params=asked)

    def run(self, id: str, *, key: str | None = None) -> Run:
        """Fires it once now, be it on or off. The same `key` is one run."""
        return self._tocsin.ask(Run, "POST", _path(id, "/run"), headers=keyed(key))

    def delete(self, id: str) -> None:
        """It fires no more."""
        self._tocsin.delete(_path(id))


def _path(id: str, rest: str = "") -> str:
    """Raises NotFound for what cannot be an id, before it can lead to another address."""
    if not ID.fullmatch(id):
        raise NotFound(404, "not_found", f"“{id}” is no id of a schedule")
    return f"{PATH}/{id}{rest}"
