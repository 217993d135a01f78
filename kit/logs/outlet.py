"""A place where lines go: one that fails says so once, keeps nobody from working, and says when it works again."""

from collections.abc import Callable


class Outlet:
    """stdout or a file. `failing` since the last writing."""

    def __init__(
        self, name: str, write: Callable[[bytes], None], remedy: str, close: Callable[[], None] = lambda: None
    ) -> None:
        self.name = name
        self.remedy = remedy
        self.close = close
        self.failing = False
        self._write = write
        self._lost = 0

    def write(self, lines: bytes) -> str | None:
        """Writes whole lines. A sentence where that began to fail, or works again; never an error."""
        try:
            self._write(lines)
        except (OSError, ValueError) as error:
            self._lost += lines.count(b"\n")
            if self.failing:
                return None
            self.failing = True
            return f"{self.name} cannot be written ({error}): {self.remedy}"
        if not self.failing:
            return None
        self.failing, lost, self._lost = False, self._lost, 0
        return f"{self.name} can be written again; {lost} lines are not in it"
