"""The rules hold in every world tried, and a world notices when one of them is missing."""

import pytest

from tests.model import model

WORLDS = 400


def test_no_world_breaks_the_promise_when_all_rules_hold() -> None:
    tried, found, _, _ = model.many(range(WORLDS))
    assert tried == WORLDS
    assert not found


@pytest.mark.parametrize(
    "rule",
    [
        "stored_verdict",
        "ripe_round",
        "lease",
        "token",
        "late_accept",
        "receipt_proves",
        "same_provider",
        "publish_first",
        "cancel_memory",
        "rank",
        "inbox_key",
    ],
)
def test_a_missing_rule_is_noticed(rule: str) -> None:
    assert _broken_without(rule), f"{model.RULES[rule]}: 1,500 worlds did not miss it"


def _broken_without(rule: str) -> bool:
    for seed in range(1500):
        _, violation = model.one(seed, off={rule}, boost=model.BOOST.get(rule, {}))
        if violation:
            return True
    return False
