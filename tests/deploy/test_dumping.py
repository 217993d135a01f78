"""pg_dump and pg_restore: how far they are, and what they could not do."""

from __future__ import annotations

import uuid
from pathlib import Path

import asyncpg
import pytest

from deploy.local import dumping
from deploy.local.trouble import Trouble
from kit.postgres import all_schemas
from tests import servers as real

SCHEMAS = ["tocsin", *all_schemas()]


def nobody(what: str, done: int) -> None:
    """Hears nothing."""


async def test_who_dumps_and_restores_is_told_how_far_it_is(postgres_url: str, template: str, folder: Path) -> None:
    """Of a dump each table, of a restore each entry, in order; all of them at the end."""
    file, tables, restored = folder / "dump", list[tuple[str, int]](), list[tuple[str, int]]()
    async with real.copied_database(postgres_url, template) as source:
        dumping.dump(source, SCHEMAS, file, lambda *what: tables.append(what))
    assert "intake.notifications" in dict(tables) and [n for _, n in tables] == list(range(len(tables)))
    server, name = await asyncpg.connect(postgres_url), f"test_{uuid.uuid4().hex[:12]}"
    try:
        await server.execute(f"create database {name}")
        target = real.other_database(postgres_url, name)
        dumping.restore(target, file, lambda *what: restored.append(what))
        assert [n for _, n in restored] == list(range(dumping.entries(file)))
        assert any("intake.notifications" in what for what, _ in restored)
        # What stands in the way is named, not the statement that met it.
        with pytest.raises(Trouble, match=r"schema .* already exists: mend that"):
            dumping.restore(target, file, nobody)
    finally:
        await server.execute(f"drop database {name} with (force)")
        await server.close()


def test_what_is_no_dump_is_told_and_so_is_a_database_that_is_away(folder: Path) -> None:
    (folder / "dump").write_bytes(b"no dump of anybody's")
    with pytest.raises(Trouble, match="pg_restore failed"):
        dumping.entries(folder / "dump")
    nowhere = f"postgresql://me@/tocsin?host={folder}"
    with pytest.raises(Trouble, match=r"pg_dump failed: connection to server .* look at DATABASE_URL"):
        dumping.dump(nowhere, SCHEMAS, folder / "new", nobody)
