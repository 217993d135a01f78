"""Holds and caps keep their promises in every world tried, and a world notices when one of their rules is missing."""

import pytest

from tests.model import holding

WORLDS = 300


def test_p3_1_no_world_breaks_a_promise_when_all_rules_hold() -> None:
    assert {holding.one(seed) for seed in range(WORLDS)} == {None}


@pytest.mark.parametrize("rule", holding.RULES)
def test_a_missing_rule_is_noticed(rule: str) -> None:
    off = frozenset({rule})
    assert any(holding.one(seed, off) for seed in range(WORLDS)), f"{holding.RULES[rule]}: no world missed it"
