"""What is archived is there: found again, once, whatever died over the writing, and without those who are forgotten."""

from __future__ import annotations

import asyncio
import gzip
import os
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.erasure import Forget, hashed
from kit import failpoints
from kit.archive import shelf
from kit.archive.erasing import Erased, erase
from kit.archive.expiring import expire
from kit.archive.marking import mark_of
from kit.archive.records import Wanted
from kit.archive.searching import about, search
from kit.archive.writing import append, name_of
from tests.servers import ROOT

NAME = name_of("gateway", date(2027, 3, 1))
NOON = datetime(2027, 2, 1, 12, tzinfo=UTC)
BOB = Forget(
    tenant="default", user_id="bob", address_hashes=(hashed("bob@example.com"),), through=NOON + timedelta(days=1)
)


def record(id: str, **more: Any) -> dict[str, Any]:
    said = {"id": id, "tenant": "default", "status": "sent", "channel": "email", "created_at": NOON.isoformat()}
    line = {"at": NOON.isoformat(), "event": "sent", "detail": "250 ok"}
    return said | {"subject": "secret", "timeline": [line]} | more


def found(folder: Path, **wanted: Any) -> list[str]:
    return [one["id"] for one in search(folder, Wanted(**wanted), 100)]


def test_it_is_found_by_all_that_it_is_known_by(tmp_path: Path) -> None:
    append(tmp_path, NAME, [record("a", to="Ann@example.com"), record("b", user_id="bob", status="failed")])
    append(tmp_path, NAME, [record("c", metadata={"order": "17"}, channel="sms")])
    later = (NOON + timedelta(days=2)).isoformat()
    append(tmp_path, name_of("gateway", date(2027, 3, 2)), [record("d", created_at=later, tenant="acme")])
    assert found(tmp_path, id="a") == found(tmp_path, to="ann@EXAMPLE.com") == ["a"]
    assert found(tmp_path, user_id="bob") == found(tmp_path, status="failed") == ["b"]
    assert found(tmp_path, metadata=(("order", "17"),)) == found(tmp_path, channel="sms") == ["c"]
    assert found(tmp_path, metadata=(("order", "18"),)) == found(tmp_path, id="x") == []
    assert found(tmp_path, since=NOON + timedelta(hours=1)) == found(tmp_path, tenant="acme") == ["d"]
    assert set(found(tmp_path, until=NOON + timedelta(hours=1))) == {"a", "b", "c"}


def test_anybody_can_read_the_file(tmp_path: Path) -> None:
    """As `zcat` does: one JSON object per line; nobody but its owner."""
    for id in "abc":
        append(tmp_path, NAME, [record(id)])
    file = tmp_path / f"{NAME}.jsonl.gz"
    assert len(gzip.decompress(file.read_bytes()).splitlines()) == 3
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("gateway*")} == {0}


def test_what_was_archived_twice_is_found_once(tmp_path: Path) -> None:
    """As it was archived last."""
    append(tmp_path, NAME, [record("a", status="sent")])
    append(tmp_path, name_of("gateway", date(2027, 3, 2)), [record("a", status="delivered")])
    assert [one["status"] for one in search(tmp_path, Wanted(id="a"), 10)] == ["delivered"]


async def test_killed_over_the_writing_it_has_all_or_nothing(tmp_path: Path) -> None:
    """The part whose line is missing is written over, and so is half a line."""
    append(tmp_path, NAME, [record("a")])
    code = (
        "from pathlib import Path; from kit.archive.writing import append;"
        f"append(Path({str(tmp_path)!r}), {NAME!r}, [{record('lost')!r}])"
    )
    environ = os.environ | {"TOCSIN_FAILPOINTS": "archive_after_data:kill", "PYTHONPATH": str(ROOT)}
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", code, env=environ)
    assert await killed.wait() == 137
    assert found(tmp_path) == ["a"]
    with (tmp_path / f"{NAME}.index").open("ab") as index:
        index.write(b'{"offset": 17, "len')
    assert found(tmp_path) == ["a"]
    append(tmp_path, NAME, [record("b")])
    assert sorted(found(tmp_path)) == ["a", "b"]


def test_a_full_disk_adds_nothing(tmp_path: Path) -> None:
    append(tmp_path, NAME, [record("a")])
    (tmp_path / f"{name_of('gateway', date(2027, 3, 2))}.jsonl.gz").symlink_to("/dev/full")
    with pytest.raises(OSError):
        append(tmp_path, name_of("gateway", date(2027, 3, 2)), [record("b")])
    assert found(tmp_path) == ["a"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    append(tmp_path, NAME, [record("a")])
    (tmp_path / f"{NAME}.jsonl.gz").write_bytes(b"not what was written")
    with pytest.raises(ValueError, match=f"{NAME}.jsonl.gz"):
        found(tmp_path)


def everything(folder: Path) -> bytes:
    """All that is in the folder, unpacked where it is packed."""
    return b"".join(
        gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
        for path in folder.iterdir()
        if path.is_file()
    )


def with_bob(folder: Path) -> None:
    theirs = [record("1", user_id="bob", to="bob@example.com"), record("2", to="Bob@example.com")]
    others = [record("3", to="ann@example.com"), record("4", tenant="acme", user_id="bob")]
    late = record("5", user_id="bob", created_at=(NOON + timedelta(days=2)).isoformat())
    append(folder, NAME, [*theirs, others[0]])
    append(folder, NAME, [others[1], late])
    append(folder, name_of("gateway", date(2027, 3, 2)), [record("6", to="ann@example.com")])


def test_p8_who_is_forgotten_is_forgotten_in_the_archive(tmp_path: Path) -> None:
    """Ids, times and outcomes stay; the file with the addresses is gone, others stay as they are."""
    with_bob(tmp_path)
    untouched = (tmp_path / "gateway-2027-03-02.jsonl.gz").read_bytes()
    assert erase(tmp_path, BOB) == Erased(records=2, files=1)
    kept = {one["id"]: one for one in search(tmp_path, Wanted(), 10)}
    assert kept.keys() == set("123456")
    for id in "12":
        assert "subject" not in kept[id] and "to" not in kept[id] and "detail" not in kept[id]["timeline"][0]
        assert (kept[id]["status"], kept[id]["forgotten"]) == ("sent", True)
    assert all(kept[id]["subject"] == "secret" for id in "3456")
    assert b"bob@example.com" not in everything(tmp_path).lower()
    assert found(tmp_path, to="bob@example.com") == [] and found(tmp_path, id="2") == ["2"]
    assert (tmp_path / "gateway-2027-03-02.jsonl.gz").read_bytes() == untouched
    assert erase(tmp_path, BOB) == Erased(records=0, files=0)
    append(tmp_path, NAME, [record("7")])
    assert set(found(tmp_path)) == set("1234567")


@pytest.mark.parametrize("where", ["archive_before_replace", "archive_after_replace"])
def test_p8_an_erasure_that_died_is_done_again(tmp_path: Path, where: str) -> None:
    """Nothing is lost, and the next one leaves nothing of the person, nor of the one that died."""
    with_bob(tmp_path)
    failpoints.arm(f"{where}:raise")
    with pytest.raises(failpoints.FailpointReached):
        erase(tmp_path, BOB)
    failpoints.arm("")
    assert set(found(tmp_path)) == set("123456")
    erase(tmp_path, BOB)
    assert set(found(tmp_path)) == set("123456")
    assert b"bob@example.com" not in everything(tmp_path).lower()
    assert len(list(tmp_path.glob("*.jsonl.gz"))) == len(shelf.volumes(tmp_path)) == 2
    assert not list(tmp_path.glob("*.new"))


def test_p8_a_damaged_file_keeps_no_other_from_being_blanked(tmp_path: Path) -> None:
    """It is named at the end, so that the erasure does not count as done; an export says which days it lacks."""
    later = name_of("gateway", date(2027, 3, 2))
    append(tmp_path, NAME, [record("a", user_id="bob")])
    append(tmp_path, later, [record("b", user_id="bob")])
    torn = tmp_path / f"{NAME}.jsonl.gz"
    torn.write_bytes(torn.read_bytes()[:40])
    records, damaged = about(tmp_path, BOB)
    assert ([one["id"] for one in records], damaged) == (["b"], [NAME])
    with pytest.raises(ValueError, match=torn.name):
        erase(tmp_path, BOB)
    assert shelf.read(volume := shelf.volume(tmp_path, later), volume.parts[0])[0]["forgotten"]


def test_p8_data_without_an_index_are_left_to_whoever_has_it(tmp_path: Path) -> None:
    """They may be all that there is of a day; what an erasure has replaced goes."""
    append(tmp_path, NAME, [record("a", user_id="bob")])
    (tmp_path / f"{NAME}.index").rename(tmp_path / "elsewhere")
    later = name_of("gateway", date(2027, 3, 2))
    append(tmp_path, later, [record("b", user_id="bob")])
    (tmp_path / f"{later}.7.jsonl.gz").write_bytes(b"of an erasure that was killed")
    assert erase(tmp_path, BOB) == Erased(1, 1)
    assert sorted(path.name for path in tmp_path.glob("*.gz")) == [f"{NAME}.jsonl.gz", f"{later}.2.jsonl.gz"]
    (tmp_path / "elsewhere").rename(tmp_path / f"{NAME}.index")
    assert found(tmp_path, id="a") == ["a"]


@pytest.mark.parametrize("generation", ["", ".2"])
def test_data_whose_index_is_gone_are_moved_aside(tmp_path: Path, generation: str) -> None:
    """Not written over, neither by the next part nor by the next erasure."""
    append(tmp_path, NAME, [record("1", user_id="bob")])
    was = (tmp_path / f"{NAME}.jsonl.gz").read_bytes()
    (tmp_path / f"{NAME}.jsonl.gz").rename(tmp_path / f"{NAME}{generation}.jsonl.gz")
    (tmp_path / f"{NAME}.index").write_bytes(b"")
    append(tmp_path, NAME, [record("2", user_id="bob")])
    erase(tmp_path, BOB)
    assert found(tmp_path) == ["2"]
    assert was in [path.read_bytes() for path in tmp_path.glob("*.jsonl.gz")]


def test_p8_a_file_that_is_gone_keeps_no_other_from_being_blanked(tmp_path: Path) -> None:
    append(tmp_path, NAME, [record("1", user_id="bob")])
    append(tmp_path, name_of("gateway", date(2027, 3, 2)), [record("2", user_id="bob")])
    (tmp_path / f"{NAME}.jsonl.gz").unlink()
    with pytest.raises(ValueError, match=NAME):
        erase(tmp_path, BOB)
    [other], damaged = about(tmp_path, BOB)
    assert (other["forgotten"], damaged) == (True, [NAME])


def test_an_archive_is_deleted_when_it_is_old_enough(tmp_path: Path) -> None:
    """With what was moved aside of that day, and what a crash left of it; nothing that is no archive."""
    for day in (28, 27, 1):
        append(tmp_path, name_of("gateway", date(2027, 2, day)), [record(f"of {day}")])
    for name in ("gateway-2027-02-01.aside1.jsonl.gz", "gateway-2027-02-02.jsonl.gz", "notes-2027-02-01.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert expire(tmp_path, date(2027, 2, 28)) == 3
    assert [one["id"] for one in search(tmp_path, Wanted(), 10)] == ["of 28"]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".lock", "notes-2027-02-01.txt", "gateway-2027-02-28.index", "gateway-2027-02-28.jsonl.gz"}
    assert expire(tmp_path, date(2027, 2, 28)) == 0 and expire(tmp_path / "none", date(2027, 2, 28)) == 0


def test_a_folder_has_one_name_for_all_who_write_there(tmp_path: Path) -> None:
    """Made by the first; another folder has another one, and it is no archive."""
    named = mark_of(tmp_path / "archive")
    assert mark_of(tmp_path / "archive") == named != mark_of(tmp_path / "another")
    assert not search(tmp_path / "archive", Wanted(), 10)
