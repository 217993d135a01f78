"""What a client may say on its stream: little, and not often."""

from dataclasses import dataclass
from typing import Literal

from pydantic_core import from_json

Said = Literal["ping", "nonsense", "too_much"]


@dataclass(slots=True)
class Chatter:
    """How much one client has said lately: at most `most` frames within `seconds`."""

    most: int
    seconds: float
    since: float = float("-inf")
    frames: int = 0

    def heard(self, text: str | None, now: float) -> Said:
        """What this frame is; `text` None for a binary one, `now` in seconds that only go forward."""
        if now - self.since >= self.seconds:
            self.since, self.frames = now, 0
        self.frames += 1
        if self.frames > self.most:
            return "too_much"
        return "ping" if text is not None and _is_ping(text) else "nonsense"


def _is_ping(text: str) -> bool:
    try:
        said = from_json(text)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("type") == "ping"
