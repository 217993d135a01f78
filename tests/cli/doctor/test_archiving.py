"""The place of what is cleaned up: there, to be made, not to be written, full, or not wanted."""

from __future__ import annotations

from pathlib import Path

from cli.doctor.archiving import LEAST_FREE, archive
from cli.doctor.finding import Finding
from kit.settings import load


def found(folder: Path, config: str = "", free: int = 2 * LEAST_FREE, may: bool = True, **settings: str) -> Finding:
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "notifications.yml").write_text(config)
    return archive(load(folder, settings), lambda _: (0, 0, free), lambda *_: may)


def test_a_folder_that_is_to_be_made_is_well(tmp_path: Path) -> None:
    told = found(tmp_path)
    assert told.state == "ok" and str(tmp_path / ".tocsin" / "archive") in told.what
    assert not (tmp_path / ".tocsin").exists()


def test_no_room_means_that_nothing_is_deleted(tmp_path: Path) -> None:
    told = found(tmp_path, free=LEAST_FREE - 1)
    assert told.state == "trouble" and "nothing is deleted" in told.what and "TOCSIN_ARCHIVE_DIR" in str(told.remedy)


def test_a_place_that_is_no_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    told = found(tmp_path, TOCSIN_ARCHIVE_DIR=str(tmp_path / "taken"))
    assert told.state == "trouble" and "no folder" in told.what


def test_a_place_where_we_may_not_write_is_found(tmp_path: Path) -> None:
    told = found(tmp_path, may=False)
    assert told.state == "trouble" and str(tmp_path) in told.what and "chown" in str(told.remedy)


def test_what_is_not_archived_needs_no_place(tmp_path: Path) -> None:
    told = found(tmp_path, "notifications: {cleanup: {archive_before_delete: false}}")
    assert told.state == "ok" and "none is kept" in told.what
    assert found(tmp_path, "notifications: {cleanup: {enabled: false}}").state == "note"
