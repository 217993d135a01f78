"""`python -m benchmarks`: all of them, or those that are named; the exit code says whether every promise holds."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from benchmarks import (
    deadlines,
    end_to_end,
    failover,
    growth,
    latency,
    lateness,
    post,
    sender,
    slow_relay,
    streams,
    timers,
)
from benchmarks.installation import NotStarted
from kit import logs


class Result(Protocol):
    """What every benchmark comes to."""

    @property
    def holds(self) -> bool: ...

    def as_json(self) -> str: ...


Measure = Callable[[int, int, Callable[[str], None]], Awaitable[Result]]

ALL: Final[dict[str, Measure]] = {
    "end_to_end": end_to_end.measure,
    "growth": growth.measure,
    "sender": sender.measure,
    "slow_relay": slow_relay.measure,
    "failover": failover.measure,
    "post": post.measure,
    "latency": latency.measure,
    "deadlines": deadlines.measure,
    "timers": timers.measure,
    "lateness": lateness.measure,
    "streams": streams.measure,
}
MAILS: Final = 30_000
TIMERS: Final = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", type=_known, help=f"of: {', '.join(ALL)}")
    parser.add_argument("--mails", type=_count, default=MAILS, help="how many (default: %(default)s)")
    parser.add_argument("--timers", type=_count, default=TIMERS, help="pending, of timers (default: %(default)s)")
    parser.add_argument("--connections", type=_count, default=5_000, help="of streams (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON, one a line")
    given = parser.parse_args()
    logs.configure("benchmarks", "WARNING", None, stdout=False)
    # A benchmark that is told to end takes its servers with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # One after the other: two at once would measure each other.
    sizes = {"timers": given.timers, "lateness": lateness.AT_ONCE, "streams": given.connections}
    held = [_run(name, sizes.get(name, given.mails), given.seed, given.json) for name in given.names or ALL]
    return 0 if all(held) else 1


def _known(name: str) -> str:
    if name not in ALL:
        raise argparse.ArgumentTypeError(f"there is no {name}, there are: {', '.join(ALL)}")
    return name


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1 on")
    return int(text)


def _run(name: str, size: int, seed: int, as_json: bool) -> bool:
    try:
        result = asyncio.run(_measured(name, size, seed))
    except (NotStarted, TimeoutError) as error:
        print(f"{name}: {error or 'the mails did not arrive in time'}", file=sys.stderr)
        return False
    print(result.as_json() if as_json else result)
    return result.holds


async def _measured(name: str, size: int, seed: int) -> Result:
    return await ALL[name](size, seed, lambda step: print(f"{name}: {step} ...", file=sys.stderr, flush=True))


if __name__ == "__main__":
    sys.exit(main())
