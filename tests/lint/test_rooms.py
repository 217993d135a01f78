"""Five small programs with the same rooms: who knows one service finds the way in all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lint.tree import files

SERVICES = ("intake", "scheduler", "email_sender", "sms_sender", "gateway")
ROOMS = ("__main__", "app", "rules")
OWNERS_OF_TABLES = ("intake", "scheduler", "gateway")
"""The senders keep claims only: handlers, SQL and migration of those come from kit/delivery, in both the same."""
NAMED_BY_OTHERS = {("deploy", "kubernetes")}
"""kustomize's users look for a `base` there."""
WITHOUT_A_SUBJECT = {"base", "common", "core", "helpers", "lib", "misc", "shared", "tools", "util", "utils"}


def rooms(service: str) -> set[str]:
    """The names of the modules and packages of a service."""
    inside = (path.relative_to("services", service) for path in files() if path.parts[:2] == ("services", service))
    return {Path(path.parts[0]).stem for path in inside if path.suffix == ".py"} - {"__init__", "migrations"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_rooms(service: str) -> None:
    assert rooms(service) >= set(ROOMS)


@pytest.mark.parametrize("service", OWNERS_OF_TABLES)
def test_who_owns_tables_has_rooms_for_them(service: str) -> None:
    assert rooms(service) >= {"handlers", "store"}


def test_no_room_is_without_a_subject() -> None:
    """A room of a service's own is named after what happens in it."""
    packages = ("contracts", "kit", "services", "client", "cli", "deploy")
    own = [path for path in files() if path.parts[0] in packages and path.parts[:2] not in NAMED_BY_OTHERS]
    names = {part for path in own for part in path.with_suffix("").parts}
    assert names & WITHOUT_A_SUBJECT == set()


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_says_what_it_is_and_numbers_its_migrations(service: str) -> None:
    own = [path for path in files() if path.parts[:2] == ("services", service)]
    assert Path("services", service, "README.md") in own
    migrations = sorted(path.name for path in own if path.parts[2] == "migrations" and path.suffix == ".sql")
    assert [name[:4] for name in migrations] == [f"{number:04}" for number in range(1, len(migrations) + 1)]
    assert bool(migrations) == (service in OWNERS_OF_TABLES)


def test_no_service_is_without_its_rooms_here() -> None:
    there = {path.parts[1] for path in files() if path.parts[0] == "services" and len(path.parts) > 2}
    assert there == set(SERVICES)
