"""`tocsin bench` hands on to the benchmarks what it is told, and says where they are not."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import tocsin

ECHO = '''"""A benchmark that says what it was told."""
import json, sys
open("told.json", "w").write(json.dumps(sys.argv[1:]))
sys.exit(1)
'''


async def test_what_is_told_is_handed_on_and_so_is_the_end(folder: Path) -> None:
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "__main__.py").write_text(ECHO)
    done = await tocsin("bench", "post", "latency", "--mails", "500", "--json", settings={}, folder=folder)
    assert done.code == 1, done.err
    assert (folder / "told.json").read_text() == '["post", "latency", "--mails", "500", "--json"]'


async def test_without_the_repository_it_says_where_they_are(folder: Path) -> None:
    done = await tocsin("bench", settings={}, folder=folder)
    assert done.code == 1 and "make bench" in done.err and str(folder) in done.err
