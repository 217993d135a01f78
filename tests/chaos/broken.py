"""A service with one rule left out, to see that the chaos run notices: `python -m tests.chaos.broken RULE SERVICE`."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable


def offsets_before_the_work() -> None:
    """Records count as finished as soon as they are admitted: a crash loses what was under way."""
    from kit import engine

    admit = engine.Lane.admit

    def admit_and_finish(lane: engine.Lane, *args: object) -> object:
        admitted = admit(lane, *args)
        lane.finish(args[0])
        return admitted

    engine.Lane.admit = admit_and_finish  # type: ignore[method-assign, assignment]


def no_claim() -> None:
    """Nobody looks at what the claims say: a repeat is handed over again, and nobody knows that it is one."""
    from kit.delivery import store

    async def nothing(*_: object) -> dict[object, object]:
        return {}

    store.read_claims = nothing  # type: ignore[assignment]


RULES: dict[str, Callable[[], None]] = {rule.__name__: rule for rule in (offsets_before_the_work, no_claim)}


def main() -> None:
    rule, service = sys.argv[1:]
    RULES[rule]()
    sys.argv = [f"services.{service}"]
    runpy.run_module(f"services.{service}", run_name="__main__")


if __name__ == "__main__":
    main()
