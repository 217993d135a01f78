"""What stands in the way of a backup or a restore is said before anything is changed."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import pytest

from cli.backup import DUMP, POSITIONS
from tests.cli.conftest import Place, tocsin

NOTHING = {"taken_at": "2027-03-01T00:00:00+00:00", "prefix": "", "groups": {}}


def told(folder: Path, **more: object) -> Path:
    """A folder with the positions of nobody."""
    folder.mkdir()
    (folder / POSITIONS).write_text(json.dumps(NOTHING | more))
    return folder


async def test_a_restore_without_a_whole_dump_replaces_nothing(nowhere: dict[str, str], folder: Path) -> None:
    """Nobody asks a database, of which there is none here."""
    bare, cut, other = told(folder / "bare"), told(folder / "cut", dump_bytes=99), told(folder / "other")
    for kept in (cut, other):
        (kept / DUMP).write_bytes(b"PGDMP and no more")
    for kept, words in ((bare, f"{bare} holds no {DUMP}"), (cut, "17 bytes, and had 99"), (other, "pg_restore failed")):
        done = await tocsin("restore", str(kept), "--yes", settings=nowhere, folder=folder)
        assert done.code == 1 and words in done.err and "Traceback" not in done.err


async def test_a_restore_into_no_database_is_one_sentence(nowhere: dict[str, str], folder: Path) -> None:
    kept = told(folder / "kept")
    done = await tocsin("restore", str(kept), "--yes", "--positions-only", settings=nowhere, folder=folder)
    assert done.code == 1 and done.err.startswith("tocsin: no database answers at postgresql://me:***@"), done.err


async def test_a_backup_that_cannot_be_made_is_one_sentence(nowhere: dict[str, str], folder: Path) -> None:
    (folder / "file").touch()
    done = await tocsin("backup", str(folder / "file" / "new"), settings=nowhere, folder=folder)
    assert done.code == 1 and "cannot be made (Not a directory): name a folder where you may write" in done.err


@pytest.mark.asyncio(loop_scope="module")
async def test_a_backup_that_fails_leaves_no_folder_and_can_be_said_again(
    place: Place, nowhere: dict[str, str], folder: Path
) -> None:
    new = folder / "new"
    failed = await place.tocsin("backup", str(new), DATABASE_URL=nowhere["DATABASE_URL"])
    assert failed.code == 1 and "no database answers" in failed.err and not new.exists()
    done = await place.tocsin("backup", str(new))
    assert done.code == 0, done.err
    assert (new / DUMP).stat().st_size == json.loads((new / POSITIONS).read_text())["dump_bytes"]
    owner = await asyncpg.connect(place.stack.database)
    try:
        tables = await owner.fetchval(
            "select count(*) from pg_tables where tableowner = current_user and schemaname !~ '^pg|^info'"
        )
    finally:
        await owner.close()
    assert done.err.endswith(f"the database: {tables} of {tables}\n")
    again = await place.tocsin("backup", str(new))
    assert again.code == 1 and "is there already" in again.err and (new / DUMP).exists()
