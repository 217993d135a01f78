"""The rules hold in every world tried, and a world notices when one of them is missing."""

import re
from pathlib import Path

import pytest

from tests.model.knobs import BOOST
from tests.model.rules import RULES
from tests.model.running import Conditions, many, one

WORLDS = 400
SIMULATIONS_OF_THEIR_OWN = {"deadlines.py", "holding.py"}


def test_no_world_breaks_the_promise_when_all_rules_hold() -> None:
    found = many(range(WORLDS))
    assert found.tried == WORLDS
    assert not found.violations


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
    conditions = Conditions(off=frozenset({rule}), boost=BOOST.get(rule, {}))
    assert any(one(seed, conditions)[1] for seed in range(1500)), f"{RULES[rule]}: 1,500 worlds did not miss it"


def test_every_rule_is_asked_for_by_its_name() -> None:
    """One that nobody asks for, or that is asked for by another name, could not be left out."""
    modules = {path for path in Path(__file__).parent.glob("*.py") if path.name not in SIMULATIONS_OF_THEIR_OWN}
    asked = {rule for path in modules for rule in re.findall(r'\bon\("(\w+)"\)', path.read_text())}
    assert asked == set(RULES)
