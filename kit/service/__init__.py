"""The shell every service runs in: it starts the parts, watches them, and ends them in good order."""

from kit.service.parts import Loop, Part, Parts, Pulse
from kit.service.repeating import Repeating
from kit.service.shell import run

__all__ = ["Loop", "Part", "Parts", "Pulse", "Repeating", "run"]
