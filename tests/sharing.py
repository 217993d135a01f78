"""Several workers (`-n 4`) share one Kafka and one PostgreSQL, and tests that must stay together stay in one worker.

The process that hands out the tests starts both servers, migrates the database that all others are copied from, and
names them in the environment that its workers inherit.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from itertools import chain
from typing import Any, Self

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from deploy.local.server import Server
from tests.servers import ROOT, LastingKafka, Session, migrated_template

KAFKA = "TOCSIN_TEST_KAFKA"
DATABASE = "TOCSIN_TEST_DATABASE"
TEMPLATE = "TOCSIN_TEST_TEMPLATE"
ALONE = (
    "tests/chaos/test_lost_servers.py",
    "tests/chaos/test_overload.py",
    "tests/chaos/test_everything_at_once.py",
    "tests/benchmarks/",
)
"""Never beside each other: they load the machine, or measure it."""
FIRST = (
    "alone",
    "tests/deploy/test_containers.py",
    "tests/chaos/",
    "tests/services/gateway/test_any_request.py",
)
"""The longest ones, minutes each, in this order: begun late, one of them would be what all others wait for."""
IN_ONE_BROWSER = "tests/web/"
"""It is started once per worker, and that takes longer than most of what is looked at in it."""
LAST = ("tests/chaos/test_storm.py",)
"""When all others are done: they count copies, which a busy machine makes likelier."""

ALMOST_DONE = 2
"""Tests that a worker still has when xdist gives it more: it begins one only when it knows the next."""


class Shared:
    """The servers of all workers; they end with `close`, or by the watchdog when this process is killed."""

    def __init__(self, ends: ExitStack) -> None:
        self._ends = ends

    @classmethod
    def start(cls) -> Self:
        """Starts, side by side, what the environment does not name yet. Raises Trouble when one does not start."""
        with ExitStack() as ends:
            session = Session()
            ends.callback(session.close)
            own: dict[str, Server] = {KAFKA: session.kafka(LastingKafka), DATABASE: session.postgres()}
            wanted = {name: server for name, server in own.items() if not os.environ.get(name)}
            with ThreadPoolExecutor() as threads:
                list(threads.map(Server.start, wanted.values()))
            os.environ.update({name: server.address for name, server in wanted.items()})
            os.environ[TEMPLATE] = ends.enter_context(migrated_template(os.environ[DATABASE]))
            return cls(ends.pop_all())

    def close(self) -> None:
        self._ends.close()


def has_workers(config: pytest.Config) -> bool:
    """Whether this process hands out tests to others, and runs none itself."""
    return config.pluginmanager.has_plugin("dsession")


class Scheduling(LoadScopeScheduling):
    """Each test goes to the next free worker, but what must stay together.

    In place of `--dist loadgroup`, which xdist 3.8 forgets under pytest 9.2 (pytest-dev/pytest-xdist#1386).

    Half of the workers at most have a large one at a time, as long as there is anything else: these start processes,
    then mostly wait. All side by side, they would be in each other's way first, and leave the machine idle later.
    """

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._in_order = False
        self._large: dict[WorkerController, str] = {}

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if not self._in_order:
            for unit in sorted(self.workqueue, key=turn):
                self.workqueue.move_to_end(unit)
            self._in_order = True
        busy = [self._has_a_large_one(one) for one in self.nodes]
        room = sum(busy) < (len(busy) + 1) // 2 and not self._has_a_large_one(node)
        unit = next_unit(self.workqueue, room=room)
        if is_large(unit):
            self._large[node] = unit
        self.workqueue.move_to_end(unit, last=False)
        super()._assign_work_unit(node)

    def _has_a_large_one(self, node: WorkerController) -> bool:
        return node in self._large and not all(self.assigned_work[node][self._large[node]].values())

    def _reschedule(self, node: WorkerController) -> None:
        """While others still work, who is out of tests ends instead of beginning with the last ones."""
        others = any(other is not node and not other.shutting_down for other in self.nodes)
        if self.workqueue.keys() == {"last"} and others:
            if self._pending_of(self.assigned_work[node]) <= ALMOST_DONE:
                node.shutdown()
        else:
            super()._reschedule(node)


def together(nodeid: str) -> str:
    """What this test belongs to: those that count copies, those that load the machine, those in a browser, a shared
    stack, or itself."""
    module, _, _ = nodeid.partition("::")
    if module.startswith(LAST):
        return "last"
    if module.startswith(ALONE):
        return "alone"
    if module.startswith(IN_ONE_BROWSER):
        return IN_ONE_BROWSER
    return module if _shares_a_stack(module) else nodeid


def turn(unit: str) -> int:
    """Lower ones begin earlier: the longest, what else is large, single tests, the last."""
    if unit == "last":
        return len(FIRST) + 2
    places = [place for place, prefix in enumerate(FIRST) if unit.startswith(prefix)]
    return places[0] if places else len(FIRST) + (not is_large(unit))


def is_large(unit: str) -> bool:
    """Whether it has servers or services of its own: a shared stack, or one of the longest."""
    return "::" not in unit or unit.startswith(FIRST)


def next_unit(waiting: Iterable[str], *, room: bool) -> str:
    """Which of those that wait, in their order, begins now; without room, a large one when nothing else is left."""
    units = iter(waiting)
    first = next(units)
    return first if room else next((unit for unit in chain([first], units) if not is_large(unit)), first)


@cache
def _shares_a_stack(module: str) -> bool:
    """Whether its tests share what was started for their module."""
    return 'scope="module"' in (ROOT / module).read_text()
