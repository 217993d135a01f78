"""Where the servers of the tests have their data."""

from pathlib import Path

from tests.servers import data_home


def test_in_memory_where_there_is_room(tmp_path: Path) -> None:
    assert data_home(None, tmp_path, room=1) == tmp_path


def test_with_temporary_files_where_memory_is_short(tmp_path: Path) -> None:
    """A container has 64 MB of shared memory unless told otherwise."""
    assert data_home(None, tmp_path, room=1 << 60) is None


def test_with_temporary_files_where_there_is_no_such_folder(tmp_path: Path) -> None:
    assert data_home(None, tmp_path / "nowhere", room=1) is None


def test_with_temporary_files_where_these_have_a_place_of_their_own(tmp_path: Path) -> None:
    assert data_home("/somewhere/else", tmp_path, room=1) is None
