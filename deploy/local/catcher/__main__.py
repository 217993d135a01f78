"""The catcher as a process: `python -m deploy.local.catcher --smtp-port 1025 --page-port 8025 --file mails.db`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from pathlib import Path

from deploy.local.catcher import Catcher


async def run(smtp_port: int, page_port: int, file: Path | None, host: str) -> None:
    """Catches until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(ending, ended.set)
    async with Catcher(port=smtp_port, page_port=page_port, file=file, host=host) as catcher:
        print(f"mail catcher: SMTP on {host}:{catcher.port}, page on http://{host}:{catcher.page_port}", flush=True)
        await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--page-port", type=int, default=8025)
    parser.add_argument("--file", type=Path, help="where mails outlive the process (without it they do not)")
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    # aiosmtpd would write down what it does not understand, which may be a part of a mail.
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    asyncio.run(run(given.smtp_port, given.page_port, given.file, given.host))


if __name__ == "__main__":
    main()
