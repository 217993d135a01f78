"""What a check has found: that all is well, something to know, or a trouble with what helps against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "trouble", "skipped"]
"""`note`: nothing is broken, but somebody should know; `skipped`: what it needs is not there, as another one says."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence under the name of a check; `remedy` says what helps."""

    check: str
    state: State
    what: str
    remedy: str | None = None


def well(check: str, what: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", what)


def note(check: str, what: str, remedy: str | None = None) -> Finding:
    """Nothing is broken."""
    return Finding(check, "note", what, remedy)


def trouble(check: str, what: str, remedy: str) -> Finding:
    """Something is broken, and this helps."""
    return Finding(check, "trouble", what, remedy)


def skipped(check: str, why: str) -> Finding:
    """Nobody could look."""
    return Finding(check, "skipped", why)
