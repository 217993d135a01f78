"""Whether a provider can be reached, and what stands in the way: for the one who asks, and not by a message."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable


class Check(NamedTuple):
    """One question that was asked (`connection`, `tls`, `login`, `sender`), and its answer, in words for people."""

    name: str
    ok: bool
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """All that was asked, in this order; what comes behind a failure was not."""

    checks: Sequence[Check]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    @property
    def detail(self) -> str:
        """The first thing that is wrong; else what was found."""
        wrong = [check for check in self.checks if not check.ok] or self.checks
        return "; ".join(f"{one.name}: {one.detail}" if one.detail else one.name for one in wrong)

    def told(self) -> dict[str, Any]:
        """As it travels in an answer on `ops.status`."""
        return {"ok": self.ok, "detail": self.detail, "checks": [check._asdict() for check in self.checks]}


@runtime_checkable
class Triable(Protocol):
    """A provider that can be tried out. `tried` answers within `seconds`, and never raises what it could say."""

    async def tried(self, seconds: float) -> Trial: ...
