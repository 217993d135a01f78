"""Several workers (`-n 4`) share one Kafka and one PostgreSQL, and tests that must stay together stay in one worker.

The process that hands out the tests starts both servers, migrates the database that all others are copied from, and
names them in the environment that its workers inherit.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from typing import Self

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
    """

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if "last" in self.workqueue:
            self.workqueue.move_to_end("last")
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        """While others still work, who is out of tests ends instead of beginning with the last ones."""
        others = any(other is not node and not other.shutting_down for other in self.nodes)
        if self.workqueue.keys() == {"last"} and others:
            if self._pending_of(self.assigned_work[node]) <= ALMOST_DONE:
                node.shutdown()
        else:
            super()._reschedule(node)


def together(nodeid: str) -> str:
    """What this test belongs to: those that count copies, those that load the machine, a shared stack, or itself."""
    module, _, _ = nodeid.partition("::")
    if module.startswith(LAST):
        return "last"
    if module.startswith(ALONE):
        return "alone"
    return module if _shares_a_stack(module) else nodeid


@cache
def _shares_a_stack(module: str) -> bool:
    """Whether its tests run on the event loop of their module, on which what they share was started."""
    return 'loop_scope="module"' in (ROOT / module).read_text()
