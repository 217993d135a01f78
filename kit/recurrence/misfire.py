"""Nobody was there when its time came: what of it is made up for, and what is not.

An instant is missed when it is more than a minute late, or when the one after it has come as well. The newest one that
is less late than that simply fires, whatever the policy.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from kit.recurrence.rule import Rule

Policy = Literal["fire_once", "skip", "fire_all"]

GRACE: Final = timedelta(seconds=60)
"""A restart takes this long: what it delays is not missed."""
CAP: Final = 100
"""So many of the missed instants `fire_all` makes up for at most, the newest ones; the answer says what is left out."""
_FIRST_REACH: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Caught:
    """Where to go on: `next` is the instant to fire (now, where it has come), None = there is none any more.
    `missed` = some were; `left_out` = some of them are not made up for."""

    next: datetime | None
    missed: bool = False
    left_out: bool = False


def caught_up(rule: Rule, policy: Policy, due: datetime, now: datetime) -> Caught:
    """What becomes of the firings from `due` to `now`; `due` is the first of them and not after `now`."""
    newest, complete = _newest(rule, due, now, CAP)
    last = newest[-1]
    if last == due and now - due <= GRACE:
        return Caught(due)
    match policy:
        case "fire_all":
            return Caught(newest[0], missed=True, left_out=not complete)
        case "skip" if now - last > GRACE:
            return Caught(rule.after(last), missed=True, left_out=True)
        case _:
            return Caught(last, missed=True, left_out=last != due)


def _newest(rule: Rule, due: datetime, now: datetime, most: int) -> tuple[list[datetime], bool]:
    """The last firings from `due` to `now`, at most so many, and whether they are all. A year of missed minutes is not
    walked through: we look back from now, further and further."""
    reach = _FIRST_REACH
    while True:
        whole = now - reach <= due
        begin = due if whole else now - reach
        found = [due] if whole else []
        for at in rule.firings(begin):
            if at > now:
                break
            found.append(at)
        if whole or len(found) >= most:
            return found[-most:], whole and len(found) <= most
        reach *= 2
