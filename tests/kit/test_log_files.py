"""The files of logs: several processes write one, and it rotates, without a line torn or lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kit.logs.files import SharedFile
from tests.kit.logged import lines

# --- the files ------------------------------------------------------------------------------------------------------

WRITER = """
import sys
from pathlib import Path
from kit.logs.files import SharedFile
file = SharedFile(Path(sys.argv[1]), largest=int(sys.argv[3]), kept=1000)
sys.stdin.readline()
for n in range(int(sys.argv[4])):
    file.write(f"{sys.argv[2]} {n} {'x' * (n % 700)} end\\n".encode())
"""


def test_four_processes_tear_no_line_and_lose_none_while_the_file_rotates(tmp_path: Path) -> None:
    file, each = tmp_path / "shared.log", 1_500
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), str(who), "60000", str(each)], stdin=subprocess.PIPE, text=True
        )
        for who in range(4)
    ]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    files = [one for one in tmp_path.iterdir() if not one.name.startswith(".")]
    seen = set()
    for one in files:
        for line in one.read_text().splitlines():
            who, number, *_, end = line.split(" ")
            assert end == "end"
            seen.add((int(who), int(number)))
    assert seen == {(who, number) for who in range(4) for number in range(each)}
    assert len(files) > 10


SERVICE = """
import sys
from pathlib import Path
from kit import logs
logs.configure(sys.argv[2], "INFO", Path(sys.argv[1]), stdout=False)
sys.stdin.readline()
for n in range(1000):
    logs.get("x").info("happened", number=n, channel="email")
"""


def test_two_services_share_the_general_file_line_by_line(tmp_path: Path) -> None:
    services = [
        subprocess.Popen([sys.executable, "-c", SERVICE, str(tmp_path), name], stdin=subprocess.PIPE, text=True)
        for name in ("intake", "email_sender")
    ]
    for service in services:
        assert service.stdin
        service.stdin.write("go\n")
        service.stdin.flush()
    assert [service.wait(60) for service in services] == [0, 0]
    for file in ("notifications.log", "email_notifications.log"):
        told = [(line["service"], line["number"]) for line in lines(tmp_path / file)]
        assert sorted(told) == [(name, number) for name in ("email_sender", "intake") for number in range(1000)]


def test_a_full_file_is_passed_on_and_only_some_are_kept(tmp_path: Path) -> None:
    file = SharedFile(tmp_path / "x.log", largest=100, kept=2)
    for number in range(10):
        file.write(f"{number:049d}\n".encode())
    names = sorted(one.name for one in tmp_path.iterdir() if not one.name.startswith("."))
    assert names == ["x.log", "x.log.1", "x.log.2"]
    assert (tmp_path / "x.log").read_text().split()[-1].endswith("9")
    assert (tmp_path / "x.log.2").read_text().split()[0].endswith("4")


def test_a_line_larger_than_the_file_may_be_is_still_written(tmp_path: Path) -> None:
    file = SharedFile(tmp_path / "x.log", largest=10, kept=1)
    file.write(b"much longer than ten\n")
    file.write(b"another one\n")
    assert (tmp_path / "x.log").read_bytes() == b"another one\n"
    assert (tmp_path / "x.log.1").read_bytes() == b"much longer than ten\n"


def test_a_file_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    file = SharedFile(tmp_path / "logs/x.log")
    file.write(b"one\n")
    (tmp_path / "logs/x.log").unlink()
    file.write(b"two\n")
    assert (tmp_path / "logs/x.log").read_bytes() == b"two\n"
