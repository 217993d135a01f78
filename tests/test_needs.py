"""What a machine lacks is said, and where nothing may be missing a skipped test would be a lie."""

from __future__ import annotations

import sys

import pytest

from tests import needs
from tests.needs import Need

ABSENT = Need("a thing", "its-package", ("no-such-command", "nor-this-one"))
PRESENT = Need("python", "python3", ("no-such-command", sys.executable))


def test_without_it_a_test_is_skipped_and_the_package_named() -> None:
    with pytest.raises(pytest.skip.Exception, match="a thing is not installed: apt-get install its-package"):
        needs.demand(ABSENT, fatal=False)


def test_without_it_a_test_fails_where_nothing_may_be_missing() -> None:
    with pytest.raises(pytest.fail.Exception, match="apt-get install its-package"):
        needs.demand(ABSENT, fatal=True)


@pytest.mark.parametrize("fatal", [False, True])
def test_one_of_its_commands_is_enough(fatal: bool) -> None:
    needs.demand(PRESENT, fatal=fatal)


def test_a_mark_means_what_the_list_says(request: pytest.FixtureRequest) -> None:
    request.node.add_marker(pytest.mark.needs("kcat"))
    assert list(needs.of(request.node)) == [Need("kcat", "kcat", ("kcat",))]


def test_what_is_not_on_the_list_cannot_be_needed(request: pytest.FixtureRequest) -> None:
    """Nobody would install it."""
    request.node.add_marker(pytest.mark.needs("a thing"))
    with pytest.raises(KeyError, match="a thing"):
        list(needs.of(request.node))
