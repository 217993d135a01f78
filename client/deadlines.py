"""Things with a due date, for programs: say them, move them, close them, and see the reminders to come."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import quote

from .errors import NotFound
from .rest import Tocsin
from .shapes import Answer, plain

_ID = re.compile(r"[^/\x00-\x1f\x7f]{1,100}")
FIELDS = ("title", "due_at", "due_date", "time_zone", "assignees", "urgent", "status", "plan")


class Said(TypedDict, total=False):
    """What a deadline is made of: `due_at` (an instant) or `due_date` (a whole day in the assignee's zone)."""

    title: str
    due_at: datetime | str
    due_date: str
    time_zone: str
    assignees: Sequence[str]
    urgent: bool
    status: Literal["open", "closed"]
    plan: str | Mapping[str, Any]


class Reminder(Answer):
    """What will be said to whom, and when."""

    rule: str
    user_id: str
    at: datetime


class Deadline(Answer):
    """A deadline as it was when the gateway answered."""

    id: str
    title: str
    due_at: datetime | None = None
    due_date: str | None = None
    time_zone: str | None = None
    assignees: tuple[str, ...] = ()
    urgent: bool = False
    status: str = "open"
    plan: str | Mapping[str, Any] | None = None
    owner: str | None = None
    reminders: tuple[Reminder, ...] = ()


class Deadlines:
    """`Deadlines(tocsin).put("118", title="Dossier 118", due_date="2027-03-10", assignees=["bob"])`.

    Raises TocsinError like everything of the connection it goes by.
    """

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin

    def put(self, id: str, **said: Unpack[Said]) -> Deadline:
        """Say the whole of it; what is left out is at its default."""
        return self._tocsin.ask(Deadline, "PUT", _path(id), json=plain(said))

    def change(self, id: str, **said: Unpack[Said]) -> Deadline:
        """The same, with what is left out as it is; a new one where there is none."""
        try:
            there = self.get(id).model_dump(mode="json", exclude_none=True, include=set(FIELDS))
        except NotFound:
            there = {}
        if "due_at" in said or "due_date" in said:
            there = {name: value for name, value in there.items() if name not in ("due_at", "due_date")}
        return self._tocsin.ask(Deadline, "PUT", _path(id), json=there | plain(said))

    def close(self, id: str) -> Deadline:
        """It is done: nobody is reminded any more, and what waits is cancelled. Raises NotFound."""
        there = self.get(id).model_dump(mode="json", exclude_none=True, include=set(FIELDS))
        return self._tocsin.ask(Deadline, "PUT", _path(id), json=there | {"status": "closed"})

    def get(self, id: str) -> Deadline:
        """The deadline with the reminders to come. Raises NotFound."""
        return self._tocsin.ask(Deadline, "GET", _path(id))

    def all(self, **narrowed: str) -> Iterator[Deadline]:
        """Those that this token may see, the newest first; `status`, `user_id`, `urgent` narrow it."""
        return self._tocsin.items(Deadline, "/v1/deadlines", narrowed)

    def delete(self, id: str) -> None:
        """Forget it, and cancel what waits. Raises NotFound."""
        self._tocsin.delete(_path(id))


def _path(id: str) -> str:
    """Raises NotFound for what cannot be an id, before it can lead to another address."""
    if not _ID.fullmatch(id) or id in (".", ".."):
        raise NotFound(404, "not_found", f"“{id}” is no id of a deadline: at most 100 characters, without /")
    return f"/v1/deadlines/{quote(id, safe='')}"
