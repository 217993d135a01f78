"""Where a line goes: stdout, the general file, and the file of the channel that it is about."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic_core import to_json

from kit.clock import utc_now
from kit.logs.facts import Facts
from kit.logs.files import SharedFile
from kit.logs.masking import masked
from kit.logs.outlet import Outlet

GENERAL_FILE: Final = "notifications.log"
CHANNEL_FILES: Final = {"email": "email_notifications.log", "sms": "sms_notifications.log"}

NO_FILE: Final = "the service goes on, its lines are on stdout; make room on the disk, or let its user write there"
NO_STDOUT: Final = "the service goes on, its lines are in the files"


class LineHandler(logging.Handler):
    """Makes the line once and writes it everywhere it belongs; a batch of facts is one writing for each place."""

    def __init__(self, service: str, folder: Path | None, *, stdout: bool) -> None:
        super().__init__()
        self.service = service
        self.stdout = Outlet("stdout", _to_stdout, NO_STDOUT) if stdout else None
        self.general = _file(folder / GENERAL_FILE) if folder else None
        self.channels = {name: _file(folder / file) for name, file in CHANNEL_FILES.items()} if folder else {}

    def emit(self, record: logging.LogRecord) -> None:
        try:
            lines = list(self._lines(record))
        except Exception:
            self.handleError(record)
            return
        everything = b"".join(line for _, line in lines)
        for outlet in (self.stdout, self.general):
            self._write(outlet, everything)
        for channel, file in self.channels.items():
            self._write(file, b"".join(line for about, line in lines if about == channel))

    def handleError(self, record: logging.LogRecord) -> None:
        """A line that cannot be made stops no service. The standard text would show it unmasked."""
        _to_stderr(f"a log line of {record.name} could not be made: {sys.exc_info()[1]!r}")

    def close(self) -> None:
        for file in (self.general, *self.channels.values()):
            if file:
                file.close()
        super().close()

    def _lines(self, record: logging.LogRecord) -> Iterator[tuple[str, bytes]]:
        """What each is about, and itself."""
        own = self.service.partition("_")[0]
        if isinstance(record.msg, Facts):
            yield from ((channel or own, line) for channel, line in record.msg.lines(self.service))
            return
        said = record.msg.get("channel") if isinstance(record.msg, dict) else None
        yield str(said or own), self.format(record).encode("utf-8", "backslashreplace") + b"\n"

    def _write(self, outlet: Outlet | None, lines: bytes) -> None:
        """What an outlet does not take is told once, to people who can do something about it."""
        if outlet and lines and (news := outlet.write(lines)):
            _to_stderr(news)
            if self.stdout and outlet is not self.stdout:
                self.stdout.write(self._about(outlet, news))

    def _about(self, outlet: Outlet, news: str) -> bytes:
        """A line of its own: straight to stdout, since the files may be what fails."""
        level, event = ("error", "lines_not_written") if outlet.failing else ("warning", "lines_written_again")
        told = {
            "time": utc_now().isoformat(timespec="milliseconds"),
            "level": level,
            "service": self.service,
            "event": event,
            "detail": masked(news),
        }
        return to_json(told | {"process": os.getpid()}) + b"\n"


def _file(path: Path) -> Outlet:
    file = SharedFile(path)
    return Outlet(str(path), file.write, NO_FILE, file.close)


def _to_stdout(lines: bytes) -> None:
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()


def _to_stderr(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
