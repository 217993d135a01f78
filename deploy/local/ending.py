"""Ending the stack: all that was started, services first, and nothing else."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

from deploy.local.book import Book
from deploy.local.launch import holder, send, until_gone
from deploy.local.manager import Manager
from deploy.local.places import Places
from deploy.local.supervisor_conf import SERVERS, SERVICES
from deploy.local.teller import Teller, alone
from deploy.local.trouble import Trouble


def down(places: Places, tell: Teller) -> list[str]:
    """Ends all that was started at these places, whether or not the manager still lives; returns what it ended.

    Raises Trouble when something would not end.
    """
    groups = Book(places.book).read()
    if not groups:
        return []
    with alone(places.run, tell):
        names = [page["name"] for pages in groups.values() for page in pages]
        running = _living(places, names)
        manager = Manager(places)
        if manager.pid is not None:
            manager.shut_down(10 + sum(_patience(pages) for pages in groups.values()))
        for group in (SERVICES, SERVERS):
            _end(places, groups.get(group, []))
        if left := _living(places, names):
            raise Trouble(f"still running: {', '.join(left)}", "end them by hand (`tocsin status` has their ids)")
    return running


def _living(places: Places, names: Sequence[str]) -> list[str]:
    return [name for name in names if holder(places.record(name)) is not None]


def _end(places: Places, pages: Sequence[dict[str, Any]]) -> None:
    """Ends what the manager did not end, because it was killed itself."""
    for page in pages:
        send(places.record(page["name"]), signal.Signals(page["stop_signal"]))
    records = [places.record(page["name"]) for page in pages]
    if not until_gone(records, _patience(pages)):
        for record in records:
            send(record, signal.SIGKILL, group=True)
        until_gone(records, 10)


def _patience(pages: Sequence[dict[str, Any]]) -> int:
    return max((int(page["stop_seconds"]) for page in pages), default=0)
