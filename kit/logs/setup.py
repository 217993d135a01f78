"""Every line of a process, ours and the libraries', takes one way: shaped, masked, written as one JSON line."""

import logging
import os
from pathlib import Path
from typing import Any, Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from kit.clock import utc_now
from kit.logs.handler import LineHandler
from kit.logs.masking import mask_line
from kit.logs.passing import PassingTrouble
from kit.logs.repeated import Repeated

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
    "urllib3": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "uvicorn.error": logging.WARNING,
}


def configure(service: str, level: str, folder: Path | None, *, stdout: bool = True) -> None:
    """Send every line of this process to stdout and to the files in `folder`: all lines to `notifications.log`,
    those about email and SMS also to the channel's own. Call it once, before anything logs."""
    handler = LineHandler(service, folder, stdout=stdout)
    handler.setFormatter(_formatter(service))
    handler.addFilter(PassingTrouble())
    handler.addFilter(Repeated())
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
