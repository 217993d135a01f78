"""Every line of a process, ours and the libraries', takes one way: shaped, masked, written as one JSON line."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from kit.clock import utc_now
from kit.logs.files import SharedFile
from kit.logs.masking import mask_line
from kit.logs.passing import PassingTrouble

GENERAL_FILE: Final = "notifications.log"
CHANNEL_FILES: Final = {"email": "email_notifications.log", "sms": "sms_notifications.log"}

# Libraries that write lines per message (botocore with number and text), or at every hiccup of a server that is being
# started again.
LOUD: Final = {
    "aiobotocore": logging.WARNING,
    "aiokafka": logging.WARNING,
    "aiokafka.cluster": logging.ERROR,
    "aiokafka.conn": logging.ERROR,
    "asyncio": logging.WARNING,
    "botocore": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "kafka": logging.WARNING,
    "mail.log": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
}


def configure(service: str, level: str, folder: Path | None, *, stdout: bool = True) -> None:
    """Send every line of this process to stdout and to the files in `folder`: all lines to `notifications.log`,
    those about email and SMS also to the channel's own. Call it once, before anything logs."""
    handler = LineHandler(service, folder, stdout=stdout)
    handler.setFormatter(_formatter(service))
    handler.addFilter(PassingTrouble())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    for name, threshold in LOUD.items():
        logging.getLogger(name).setLevel(max(threshold, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shaping(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger: `log.info("what_happened", id=..., channel="email")`. No addresses, no texts."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


class LineHandler(logging.Handler):
    """Makes the line once and writes it everywhere it belongs."""

    def __init__(self, service: str, folder: Path | None, *, stdout: bool) -> None:
        super().__init__()
        self.service = service
        self.stdout = stdout
        self.general = SharedFile(folder / GENERAL_FILE) if folder else None
        self.channels = {name: SharedFile(folder / file) for name, file in CHANNEL_FILES.items()} if folder else {}

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
        except Exception:
            self.handleError(record)
            return
        for write in self._writers(record):
            try:
                write(line)
            except (OSError, ValueError):
                self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk or a closed pipe stops no service. The standard text would show the line unmasked."""
        with suppress(OSError, ValueError):
            sys.stderr.write(f"a log line of {record.name} could not be written: {sys.exc_info()[1]!r}\n")

    def close(self) -> None:
        for file in (self.general, *self.channels.values()):
            if file:
                file.close()
        super().close()

    def _writers(self, record: logging.LogRecord) -> Iterator[Callable[[bytes], None]]:
        if self.stdout:
            yield _to_stdout
        if self.general:
            yield self.general.write
        if file := self.channels.get(_channel(record, self.service)):
            yield file.write


def _to_stdout(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def _channel(record: logging.LogRecord, service: str) -> str:
    """What the line says it is about, else what its service is about: `email_sender` is about email."""
    said = record.msg.get("channel") if isinstance(record.msg, dict) else None
    return str(said or service.partition("_")[0])


def _formatter(service: str) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shaping(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _say_who(service),
            mask_line,
            structlog.processors.JSONRenderer(default=str),
        ],
    )


def _shaping() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _say_when,
    ]


def _say_when(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    line["time"] = utc_now().isoformat(timespec="milliseconds")
    return line


def _say_who(service: str) -> Processor:
    """Puts first what one looks for first."""
    process = os.getpid()

    def ordered(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        first: dict[str, Any] = {"time": line.pop("time", None), "level": line.pop("level", None), "service": service}
        return {**first, "event": line.pop("event", ""), **line, "process": process}

    return ordered
