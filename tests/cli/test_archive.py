"""What was cleaned up is found from the shell, though nothing runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kit.archive.records import Wanted
from kit.archive.searching import search
from kit.archive.writing import append, name_of
from kit.clock import utc_now
from tests.cli.conftest import tocsin

KEPT = {"TOCSIN_ARCHIVE_DIR": "kept"}
NOON = datetime(2027, 2, 1, 12, tzinfo=UTC)


def record(id: str, at: datetime = NOON, **more: Any) -> dict[str, Any]:
    said = {"id": id, "tenant": "default", "status": "sent", "channel": "email", "created_at": at.isoformat()}
    return said | {"subject": "hello"} | more


@pytest.fixture
def archived(folder: Path) -> Path:
    """An installation whose archive holds four notifications."""
    archive = folder / "kept"
    bob = record("b", to="+33612345678", channel="sms", status="failed")
    append(archive, name_of("gateway", date(2027, 3, 1)), [record("a", to="ann@example.com"), bob])
    young = record("c", utc_now() - timedelta(days=40), metadata={"order": "17"}, user_id="bob")
    append(archive, name_of("gateway", date(2027, 3, 2)), [young, record("d", forgotten=True, user_id="eve")])
    return folder


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (("--id", "A"), {"a"}),
        (("--to", "ANN@example.com"), {"a"}),
        (("--to", "+33 6 12 34 56 78"), {"b"}),
        (("--user", "bob"), {"c"}),
        (("--metadata", "order=17", "--channel", "email"), {"c"}),
        (("--metadata", "order=18"), set()),
        (("--status", "failed"), {"b"}),
        (("--since", "2027-02-01", "--until", "2027-02-02"), {"a", "b", "d"}),
        (("--since", "60d", "--until", "30d"), {"c"}),
        (("--tenant", "acme"), set()),
        ((), {"a", "b", "c", "d"}),
    ],
)
async def test_it_is_found(archived: Path, options: tuple[str, ...], ids: set[str]) -> None:
    done = await tocsin("archive", "search", *options, "--json", settings=KEPT, folder=archived)
    assert done.code == 0, done.err
    assert {one["id"] for one in done.json["notifications"]} == ids


async def test_people_see_a_line_each(archived: Path) -> None:
    done = await tocsin("archive", "search", "--limit", "2", settings=KEPT, folder=archived)
    assert done.code == 0 and len(done.out.splitlines()) == 3
    assert "(forgotten)" in (await tocsin("archive", "search", "--user", "eve", settings=KEPT, folder=archived)).out


def test_who_searches_hears_how_far_it_is(archived: Path) -> None:
    heard: list[tuple[int, int]] = []
    search(archived / "kept", Wanted(), 50, lambda done, total: heard.append((done, total)))
    assert heard == [(1, 2), (2, 2)]


async def test_the_files_are_listed(archived: Path) -> None:
    done = await tocsin("archive", "list", "--json", settings=KEPT, folder=archived)
    assert [(one["name"], one["notifications"]) for one in done.json["archives"]] == [
        ("gateway-2027-03-01", 2),
        ("gateway-2027-03-02", 2),
    ]
    assert "gateway-2027-03-01" in (await tocsin("archive", "list", settings=KEPT, folder=archived)).out


async def test_no_archive_is_an_empty_one(folder: Path) -> None:
    """Nothing was cleaned up yet; a folder that was named must be there."""
    assert (await tocsin("archive", "search", "--json", settings=KEPT, folder=folder)).json == {"notifications": []}
    done = await tocsin("archive", "list", "--folder", str(folder / "nowhere"), settings=KEPT, folder=folder)
    assert done.code == 1 and "there is no folder" in done.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [(("--since", "yesterday"), "--since yesterday is no time"), (("--metadata", "order"), "write it as KEY=VALUE")],
)
async def test_what_cannot_be_meant_is_said(archived: Path, options: tuple[str, ...], sentence: str) -> None:
    done = await tocsin("archive", "search", *options, settings=KEPT, folder=archived)
    assert done.code == 1 and sentence in done.err


async def test_a_damaged_file_is_named(archived: Path) -> None:
    damage(archived / "kept" / "gateway-2027-03-01.jsonl.gz")
    done = await tocsin("archive", "search", "--to", "ann@example.com", settings=KEPT, folder=archived)
    assert done.code == 1 and "gateway-2027-03-01.jsonl.gz" in done.err and "backup" in done.err


def damage(file: Path) -> None:
    file.write_bytes(b"not what was written")
