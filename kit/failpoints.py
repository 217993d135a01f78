"""Named places where a test can end, stop or fail the process; without the variable they do nothing."""

import os
import signal
from typing import Final, NoReturn

VARIABLE: Final = "TOCSIN_FAILPOINTS"
KILLED: Final = 137
ACTIONS: Final = ("kill", "pause", "raise")


class FailpointReached(Exception):
    """What the action `raise` raises."""


class Failpoint:
    """One armed place: at its n-th passing, and only then, it acts."""

    def __init__(self, name: str, action: str, passing: int) -> None:
        self.name = name
        self.action = action
        self.left = passing

    def passed(self) -> None:
        self.left -= 1
        if self.left == 0:
            self._act()

    def _act(self) -> None:
        match self.action:
            case "kill":
                os._exit(KILLED)
            case "pause":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "raise":
                raise FailpointReached(self.name)


_armed: dict[str, Failpoint] = {}


def failpoint(name: str) -> None:
    """Pass that place: `kill` ends the process at once (137), `pause` stops it until SIGCONT, `raise` raises."""
    if _armed and name in _armed:
        _armed[name].passed()


def arm(spec: str) -> None:
    """Arm places as `TOCSIN_FAILPOINTS` does, `after_claim:kill,before_publish:raise@3`; an empty text disarms all.

    Raises ValueError for what cannot be read.
    """
    points = [_read(part.strip()) for part in spec.split(",") if part.strip()]
    _armed.clear()
    _armed.update({point.name: point for point in points})


def _read(part: str) -> Failpoint:
    name, _, rest = part.partition(":")
    action, _, passing = rest.partition("@")
    if not name or action not in ACTIONS or (passing and not passing.isdigit()) or passing == "0":
        _unreadable(part)
    return Failpoint(name, action, int(passing or 1))


def _unreadable(part: str) -> NoReturn:
    raise ValueError(f"{VARIABLE}: '{part}' is not name:action or name:action@n, action one of {', '.join(ACTIONS)}")


arm(os.environ.get(VARIABLE, ""))
