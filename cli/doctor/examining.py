"""All examinations side by side, each with its time, so that one part that hangs hides no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cli.doctor.finding import Finding, skipped, trouble


@dataclass(frozen=True, slots=True)
class Examination:
    """One look at one part, and the names of the checks that it answers for. It may return several findings of a name.

    Past `seconds` its first check is in trouble, and the others were not looked at.
    """

    checks: tuple[str, ...]
    look: Callable[[], Awaitable[Sequence[Finding]]]
    seconds: float = 12.0


async def examined(examinations: Sequence[Examination]) -> list[Finding]:
    """What all of them found, in their order. Raises nothing."""
    found = await asyncio.gather(*map(_examined, examinations))
    return [finding for findings in found for finding in findings]


async def _examined(one: Examination) -> Sequence[Finding]:
    first, *rest = one.checks
    try:
        async with asyncio.timeout(one.seconds):
            return await one.look()
    except TimeoutError:
        told = trouble(first, f"no answer within {one.seconds:g} s", "look whether it hangs, or the network between")
    except Exception as error:  # a doctor that dies of what he finds helps nobody
        told = trouble(
            first, f"could not be looked at ({type(error).__name__}: {error})", "mend that first, then look again"
        )
    return [told, *(skipped(check, f"not looked at, because of {first}") for check in rest)]
