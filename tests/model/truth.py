"""What really happened, which no service knows: the judges of a world go by it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from tests.model.tables import Record


class Violation(Exception):
    """A promise is broken; says which: its number among the promises of the simulation (README.md), and how."""


@dataclass(slots=True)
class Truth:
    """By the notification's id; instants are ticks."""

    # What clients asked for, and what they were told.
    requests: dict[int, Record] = field(default_factory=dict)
    direct: set[int] = field(default_factory=set)  # those that were written to Kafka, not posted
    accepted: dict[int, int] = field(default_factory=dict)
    wanted: dict[int, list[int]] = field(default_factory=dict)  # all instants that were ever asked for
    cancels: dict[int, int] = field(default_factory=dict)  # those that were answered
    moves: defaultdict[int, list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    """To which instant, and whether that was answered."""
    group_cancelled_at: float | None = None

    # What intake met and said.
    written: dict[int, int] = field(default_factory=dict)  # when its request last came to Kafka
    early: set[int] = field(default_factory=set)  # whose cancel came before its request
    met: set[int] = field(default_factory=set)  # of which it tried to make an end
    judged: dict[int, int] = field(default_factory=dict)  # when it judged the cancel of what was handed
    content: dict[int, tuple[str | None, int | None]] = field(default_factory=dict)  # body and address, as first said
    ends_held: dict[int, int] = field(default_factory=dict)  # since when, during this hold, an `end` is published
    swept: Counter[int] = field(default_factory=Counter)  # how often, while handed
    needless: Counter[int] = field(default_factory=Counter)  # how often although its answer was there to be read

    # What senders, providers and the inbox did.
    met_end: dict[int, int] = field(default_factory=dict)  # when its channel first met its `end`
    handed: Counter[int] = field(default_factory=Counter)  # hand-overs that began
    copies: defaultdict[int, list[tuple[int, str | None]]] = field(default_factory=lambda: defaultdict(list))
    """What a provider took: when, and which body."""
    taken_by: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    told: set[int] = field(default_factory=set)  # of whose acceptance its sender knew
    called: set[int] = field(default_factory=set)  # about which a provider called back
    shown: Counter[int] = field(default_factory=Counter)  # how often in an inbox
