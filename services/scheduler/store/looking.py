"""What every table of things with a time is asked before a firing."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Look:
    """The time by tocsin.clock(), whether something is due, and the first instant after now at which it will be."""

    now: datetime
    due: bool
    next: datetime | None
