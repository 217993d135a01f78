"""The stack comes up once, heals, and goes away without a trace, whatever was killed meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.ending import down
from deploy.local.installation import end
from deploy.local.launch import holder
from deploy.local.patience import Limits
from deploy.local.places import Places
from deploy.local.ports import free_port, taken
from deploy.local.program import Program
from deploy.local.stack import Stack, Status
from deploy.local.trouble import Trouble
from tests.deploy.programs import COMMAND, Silent, stand_in
from tests.servers import ROOT, Session
from tests.waiting import until


class House:
    """A stack of one server and two services in a folder of its own."""

    def __init__(self, folder: Path, session: Session) -> None:
        self.folder = folder
        self.session = session
        self.order: list[str] = []
        self.tell = Silent()
        self.programs = [stand_in(name, free_port()) for name in ("depot", "alpha", "beta")]

    @property
    def places(self) -> Places:
        return Places(ROOT, self.folder / ".tocsin", self.folder / "logs")

    def stack(self, programs: list[Program] | None = None, limits: Limits = Limits()) -> Stack:
        server, *services = programs or self.programs
        return Stack(
            self.places,
            servers=[server],
            services=services,
            prepare={server.name: lambda tell: self.order.append("prepare")},
            between=lambda tell: self.order.append(f"between, services up: {self.running('alpha', 'beta')}"),
            limits=limits,
        )

    def up(self) -> Status:
        status = self.stack().up(self.tell)
        for pid in self.pids().values():
            self.session.look_after(pid)
        return status

    def down(self) -> list[str]:
        return down(self.places, self.tell)

    def kill_and_see_again(self, name: str) -> None:
        before = self.pids()[name]
        os.kill(before, signal.SIGKILL)
        until(lambda: self.pids().get(name, before) != before)

    def running(self, *names: str) -> list[str]:
        return [name for name in names if name in self.pids()]

    def pids(self) -> dict[str, int]:
        found = {name: holder(self.places.record(name)) for name in ("manager", "depot", "alpha", "beta")}
        return {name: pid for name, pid in found.items() if pid is not None}


@pytest.fixture
def house(folder: Path, session: Session) -> Iterator[House]:
    house = House(folder, session)
    yield house
    house.down()


def test_up_starts_servers_then_services(house: House) -> None:
    """Preparation first, then the servers, then what belongs between, then the services; and all are ready."""
    status = house.up()
    assert house.order == ["prepare", "between, services up: []"]
    assert status.ready and [one.name for one in (*status.servers, *status.services)] == ["depot", "alpha", "beta"]
    assert {one.name: one.pid for one in (*status.servers, *status.services)} == {
        name: pid for name, pid in house.pids().items() if name != "manager"
    }


def test_a_second_up_replaces_nothing_and_starts_what_died(house: House) -> None:
    """Process ids stay; the one that was killed comes back, by the manager alone or by the second up."""
    house.up()
    before = house.pids()
    house.up()
    assert house.pids() == before
    os.kill(before["alpha"], signal.SIGKILL)
    until(lambda: not lives(before["alpha"]))
    house.up()
    after = house.pids()
    assert after["alpha"] != before["alpha"]
    assert {**after, "alpha": 0} == {**before, "alpha": 0}


def test_the_manager_starts_again_what_was_killed(house: House) -> None:
    """Nobody needs to ask."""
    house.up()
    for name in ("depot", "beta"):
        house.kill_and_see_again(name)


def test_people_stop_and_start_services_by_supervisorctl(house: House) -> None:
    """As docs/runbook.md says; servers stay."""
    house.up()
    before = house.pids()
    control = [sys.executable, "-m", "supervisor.supervisorctl", "-c", str(house.places.run / "manager.conf")]
    subprocess.run([*control, "restart", "services:alpha"], check=True)
    until(lambda: house.pids().get("alpha", before["alpha"]) != before["alpha"])
    subprocess.run([*control, "stop", "services:*"], check=True)
    assert house.pids().keys() == {"manager", "depot"} and house.pids()["depot"] == before["depot"]
    subprocess.run([*control, "start", "services:*"], check=True)
    until(lambda: house.pids().keys() == before.keys())


def test_down_leaves_nothing_behind_and_touches_nobody_else(house: House) -> None:
    """All that was started is gone, ports are free, and a stranger of the same kind lives on."""
    port = free_port()
    stranger = subprocess.Popen([*COMMAND, str(port)], cwd=ROOT)
    try:
        house.up()
        pids = house.pids()
        assert sorted(house.down()) == ["alpha", "beta", "depot"]
        assert not [pid for pid in pids.values() if lives(pid)]
        assert not [one.port for one in house.programs if one.port is not None and taken(one.port)]
        assert stranger.poll() is None
        assert house.down() == []
    finally:
        stranger.kill()
        stranger.wait()


def test_down_after_the_manager_was_killed(house: House) -> None:
    """Orphans are found by the locks they hold, and ended."""
    house.up()
    pids = house.pids()
    os.kill(pids["manager"], signal.SIGKILL)
    until(lambda: "manager" not in house.pids())
    assert sorted(house.running("depot", "alpha", "beta")) == ["alpha", "beta", "depot"]
    assert sorted(house.down()) == ["alpha", "beta", "depot"]
    assert not [pid for pid in pids.values() if lives(pid)]


def test_up_after_the_manager_was_killed_adopts_what_lives(house: House) -> None:
    """Nothing runs twice: the new manager's successors wait behind those that live, and take over when they end."""
    house.up()
    before = house.pids()
    os.kill(before["manager"], signal.SIGKILL)
    until(lambda: "manager" not in house.pids())
    house.up()
    after = house.pids()
    assert after["manager"] != before["manager"]
    assert {**after, "manager": 0} == {**before, "manager": 0}
    house.kill_and_see_again("alpha")
    house.down()
    assert house.pids() == {}
    assert not [process for process in psutil.process_iter(["cmdline"]) if mentions(process, str(house.folder))]


def lives(pid: int) -> bool:
    """Whether the process runs; one that ended and waits for its parent, which is this test, does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def mentions(process: psutil.Process, text: str) -> bool:
    return any(text in part for part in process.info["cmdline"] or [])


def test_a_program_that_only_ends_is_given_up_with_its_words(house: House) -> None:
    """The sentence names the program and the end of its log, and comes soon."""
    broken = Program("alpha", [*COMMAND, str(house.folder / "starts")], ready=lambda: False, address="nowhere")
    with pytest.raises(Trouble, match=r"alpha ends as soon as it starts.*nothing to do here"):
        house.stack([house.programs[0], broken, house.programs[2]], Limits(broken_seconds=5)).up(house.tell)


def test_a_taken_port_names_its_setting(house: House) -> None:
    """The sentence says which port, for what, by whom, and how to move it; nothing was started."""
    port = house.programs[1].port
    stranger = subprocess.Popen([*COMMAND, str(port)], cwd=ROOT)
    try:
        until(lambda: taken(port or 0))
        with pytest.raises(Trouble, match=rf"port {port} for alpha is taken by process {stranger.pid} .*ALPHA_PORT"):
            house.up()
        assert house.pids() == {}
    finally:
        stranger.kill()
        stranger.wait()


def test_other_settings_than_the_running_ones_are_refused(house: House) -> None:
    """A stack that runs is not joined by one with other ports; down still ends what runs."""
    house.up()
    with pytest.raises(Trouble, match=r"other settings.*make stop"):
        house.stack([house.programs[0], stand_in("alpha", free_port()), house.programs[2]]).up(house.tell)
    assert len(house.down()) == 3


def test_a_folder_that_cannot_be_written_is_one_sentence(house: House) -> None:
    """No permission, or a file in the way: the folder is named, and what to do."""
    (house.folder / ".tocsin").write_text("a file where the folder should be")
    with pytest.raises(Trouble, match=r"cannot write .*\.tocsin"):
        house.up()
    (house.folder / ".tocsin").unlink()


def test_a_full_disk_is_one_sentence(house: House) -> None:
    """Before anything is started."""
    with pytest.raises(Trouble, match=r"only \d+ MB of disk are left .*free some"):
        house.stack(limits=Limits(room_bytes=2**62)).up(house.tell)
    assert house.pids() == {}


def test_a_long_path_is_no_obstacle(house: House) -> None:
    """Unix sockets have short names; folders have not."""
    house.folder = house.folder / ("x" * 60) / ("y" * 60)
    house.folder.mkdir(parents=True)
    assert house.up().ready
    assert len(house.down()) == 3


def test_down_works_when_the_settings_cannot_be_read_any_more(house: House) -> None:
    """A mistake in the settings keeps nothing alive."""
    house.up()
    (house.folder / "config").mkdir()
    (house.folder / "config" / "notifications.yml").write_text("notifications: {emial: {}}")
    assert sorted(end(house.folder, {}, house.tell)) == ["alpha", "beta", "depot"]
