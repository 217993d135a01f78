"""Reminders hold in every world tried, and a world notices when one of their rules is missing."""

import pytest

from tests.model import deadlines

WORLDS = 1500


def test_p4_4_no_world_breaks_a_promise_when_all_rules_hold() -> None:
    assert {deadlines.one(seed) for seed in range(WORLDS)} == {None}


@pytest.mark.parametrize("rule", deadlines.RULES)
def test_a_missing_rule_is_noticed(rule: str) -> None:
    off = frozenset({rule})
    assert any(deadlines.one(seed, off) for seed in range(WORLDS)), f"{deadlines.RULES[rule]}: no world missed it"
