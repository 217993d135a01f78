"""What a mail that came back says, in one word and for people."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from kit.delivery.outcomes import plain
from services.email_sender.rules.replies import SAYS_NOBODY, Meaning, Reply, Step, meaning

STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
"""An enhanced code (RFC 3463), wherever it stands."""

_ADDRESS: Final = re.compile(r"<?[^\s<>,;:()\"]+@[^\s<>,;:()\"]+>?")


class Kind(Enum):
    """What it says. Of several recipients (of a list, say) the mildest counts: somebody has it, or may have it."""

    DELIVERED = auto()
    DELAYED = auto()
    FAILED = auto()
    GONE = auto()
    COMPLAINT = auto()


@dataclass(frozen=True, slots=True)
class Report:
    """One report; `told` is what the other server said, without addresses. `returns_to`: where the mail that a
    complaint is about was to come back to. `about`: the addresses that it names."""

    kind: Kind
    told: str
    returns_to: str | None = None
    about: frozenset[str] = frozenset()


def failed(reply: Reply, *about: str) -> Report:
    """Of these addresses: whether there is no such recipient, by the same table as at sending. A bare 550 may be about
    anything: there it must be said in words."""
    step = Step.RCPT if reply.enhanced or SAYS_NOBODY.search(reply.text) else Step.DOT
    gone = meaning(step, reply) is Meaning.RECIPIENT
    return Report(Kind.GONE if gone else Kind.FAILED, told(reply), about=frozenset(filter(None, about)))


def told(reply: Reply) -> str:
    """For people, and without the addresses that servers like to repeat."""
    return plain(_ADDRESS.sub("<address>", reply.told))


def specific(enhanced: str) -> str:
    """The code, where it says more than its class."""
    return "" if enhanced.endswith(".0.0") else enhanced


def mildest(reports: Iterable[Report]) -> Report | None:
    """Of several the one that counts, and it is about all of them."""
    found = list(reports)
    least = min(found, key=lambda report: report.kind.value, default=None)
    return least and replace(least, about=frozenset().union(*(report.about for report in found)))
