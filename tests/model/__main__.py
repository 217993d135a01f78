"""A deterministic simulation of how notifications are delivered (docs/protocol.md); README.md says the rest."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from tests.model.knobs import BOOST, KNOBS
from tests.model.rules import HEALERS, RULES
from tests.model.running import FEWEST, Conditions, many, one, shrink

MODES: Final = ("fixed", "without", "mutate", "shrink", "trace")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.model", description=__doc__)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("-n", type=int, default=20000, help="worlds")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--off", type=_rules, default=(), help="rules to leave out, with commas")
    parser.add_argument("--rules", type=_rules, default=tuple(RULES), help="without, mutate: only these")
    parser.add_argument("--kind", default="", help="shrink: the violation")
    parser.add_argument("--seed", type=int, default=0, help="trace: the world")
    parser.add_argument("--small", action="store_true", help="one notification, one instance a service")
    parser.add_argument("--drop", type=_knobs, default=(), help="knobs to switch off")
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--boost", type=_boost, default={}, help="knob=value,..: set these knobs in every world")
    return parser.parse_args()


def main() -> None:
    asked = _arguments()
    conditions = Conditions(off=frozenset(asked.off), boost=asked.boost, drop=asked.drop)
    if asked.small:
        conditions = replace(conditions, notifications=1, instances=FEWEST)
    seeds = range(asked.start, asked.start + asked.n)
    match asked.mode:
        case "fixed":
            _fixed(seeds, conditions, asked.budget)
        case "without":
            for rule in asked.rules:
                print(f"{rule:16} {_without(rule, seeds, conditions, asked.budget)}", flush=True)
        case "mutate":
            for rule in asked.rules:
                swept = _without(rule, seeds, conditions, asked.budget)
                print(f"{rule:16} {swept} | {_unswept(rule, seeds, conditions, asked.budget)}", flush=True)
        case "shrink":
            smallest = shrink(asked.kind, seeds, conditions)
            print(smallest)
            if smallest:
                _trace(*smallest)
        case "trace":
            _trace(asked.seed, conditions)


def _fixed(seeds: Sequence[int], conditions: Conditions, budget: float) -> None:
    found = many(seeds, conditions, budget)
    print(f"{found.tried} worlds, {found.seconds:.0f} s, {found.violations.total()} with a violation")
    for violation, times in found.violations.most_common():
        steps, seed = found.smallest[violation]
        print(f"{times:7}  {violation}   (smallest: seed {seed}, {steps} steps)")


def _without(rule: str, seeds: Sequence[int], conditions: Conditions, budget: float) -> str:
    """In worlds where the rule matters."""
    conditions = replace(conditions, off=conditions.off | {rule}, boost={**BOOST.get(rule, {}), **conditions.boost})
    return f"swept: {_summary(seeds, conditions, budget)}"


def _unswept(rule: str, seeds: Sequence[int], conditions: Conditions, budget: float) -> str:
    """The same with nothing that heals, and no topic that is lost."""
    boost = {**BOOST.get(rule, {}), **conditions.boost, "loss": 0}
    return (
        f"unswept: {_summary(seeds, replace(conditions, off=conditions.off | HEALERS | {rule}, boost=boost), budget)}"
    )


def _summary(seeds: Sequence[int], conditions: Conditions, budget: float) -> str:
    found = many(seeds, conditions, budget)
    commonest = found.violations.most_common(1)
    return f"{found.violations.total()}/{found.tried} {commonest[0][0] if commonest else '-'}"


def _trace(seed: int, conditions: Conditions) -> None:
    world, violation = one(seed, conditions, traced=True)
    knobs = {knob: value for knob, value in world.knobs.items() if value}
    print(*world.trace or (), f"=> {violation} {knobs}", sep="\n")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _rules(text: str) -> tuple[str, ...]:
    return _known(_names(text), RULES)


def _knobs(text: str) -> tuple[str, ...]:
    return _known(_names(text), KNOBS)


def _boost(text: str) -> dict[str, float]:
    pairs = [pair.partition("=") for pair in _names(text)]
    _known([knob for knob, _, _ in pairs], KNOBS)
    return {knob: float(value) for knob, _, value in pairs}


def _known(names: Iterable[str], all_of_them: Collection[str]) -> tuple[str, ...]:
    names = tuple(names)
    for name in names:
        if name not in all_of_them:
            raise argparse.ArgumentTypeError(f"unknown {name!r}; there are {', '.join(all_of_them)}")
    return names


if __name__ == "__main__":
    main()
