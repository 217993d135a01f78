"""The sender alone, from a full `due` topic to the sink, beside what sends the same mails without keeping anything."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from typing import Final

from benchmarks.dues import dues, fill
from benchmarks.installation import Installation
from benchmarks.machine import ROOT, Circumstances
from benchmarks.smtp_clients import AUTHOR
from deploy.local.sink import ask
from kit.clock import utc_now
from kit.delivery.provider import Parcel
from services.email_sender.composing.mail import compose

OF_BARE: Final = 0.25
"""Of the rate of a bare pipelined client."""
TIMES_POOLED: Final = 4.0
"""The rate of pooled aiosmtplib."""
COMPOSED_US: Final = 40.0
NAME: Final = "email_sender"
WARM_UP: Final = 3_000
SLOWEST: Final = 200.0
COMPOSED: Final = 500
TURNS: Final = 2


@dataclass(frozen=True, slots=True)
class Result:
    """Mails per second of each, and what one composition costs; `cpu_us` is per mail and program."""

    mails: int
    copies: int
    sender: float
    bare: float
    aiosmtplib: float
    composed_us: float
    email_message_us: float
    cpu_us: dict[str, float]
    circumstances: Circumstances

    @property
    def holds(self) -> bool:
        return (
            self.sender >= OF_BARE * self.bare
            and self.sender >= TIMES_POOLED * self.aiosmtplib
            and self.composed_us <= COMPOSED_US
            and self.copies == 0
        )

    def __str__(self) -> str:
        dearest = sorted(self.cpu_us.items(), key=lambda item: -item[1])
        return "\n".join(
            [
                f"sender: {self.sender:,.0f} mails/s from a full topic, {self.mails:,} mails, {self.copies} copies",
                f"  {self.sender / self.bare:.0%} of a bare pipelined client on the same core, {self.bare:,.0f}/s "
                f"(promised: {OF_BARE:.0%})",
                f"  {self.sender / self.aiosmtplib:.2f} x pooled aiosmtplib on the same core, {self.aiosmtplib:,.0f}/s "
                f"(promised: {TIMES_POOLED:g} x)",
                f"  one mail composed in {self.composed_us:.1f} us (promised: {COMPOSED_US:g}), "
                f"with EmailMessage in {self.email_message_us:,.0f} us",
                "  CPU per mail:",
                *(f"    {name:<13}{us:>8,.0f} us" for name, us in dearest),
                f"  {self.circumstances}",
            ]
        )

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"holds": self.holds})


async def measure(mails: int, seed: int, tell: Callable[[str], None]) -> Result:
    """In turns, on one core, to one sink. Raises TimeoutError when the mails do not arrive."""
    circumstances = Circumstances.now(seed)
    composed, with_email_message = _composing(seed)
    tell("starting Kafka, PostgreSQL and the sender")
    async with Installation((NAME,)) as installation:
        core = min(os.sched_getaffinity(0))
        os.sched_setaffinity(installation.processes[NAME].pid, {core})
        tell(f"warming up with {WARM_UP:,} mails")
        await fill(installation.kafka_settings, "warm", seed, WARM_UP)
        await _sunk(installation, WARM_UP, WARM_UP)
        with installation.suspended(NAME):
            await fill(installation.kafka_settings, "run", seed, mails)
            before, begun = installation.cpu(), time.monotonic()
        tell("measuring the sender")
        await _sunk(installation, WARM_UP + mails, mails)
        took = time.monotonic() - begun
        after, summary = installation.cpu(), await ask(installation.ports["sink"])
        tell("measuring a bare client and aiosmtplib")
        peers: dict[str, list[float]] = {"bare": [], "aiosmtplib": []}
        with installation.suspended(NAME):
            for _ in range(TURNS):
                for name, seconds in peers.items():
                    seconds.append(await _peer(name, installation.ports["sink"], mails // TURNS, seed, core))
    rates = {name: mails // TURNS / min(seconds) for name, seconds in peers.items()}
    cpu = {name: round((after[name] - before[name]) / mails * 1e6, 1) for name in after}
    return Result(
        mails, summary["copies"], mails / took, **rates, composed_us=composed, email_message_us=with_email_message,
        cpu_us=cpu, circumstances=circumstances,
    )  # fmt: skip


async def _sunk(installation: Installation, total: int, new: int) -> None:
    async with asyncio.timeout(60 + new / SLOWEST):
        while True:
            if (await ask(installation.ports["sink"]))["distinct"] >= total:
                return
            await asyncio.sleep(0.05)


async def _peer(name: str, port: int, count: int, seed: int, core: int) -> float:
    """The client in a process of its own, on that core."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.smtp_clients", name, str(port), str(count), str(seed),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )  # fmt: skip
    told, _ = await process.communicate()
    return float(told)


def _composing(seed: int) -> tuple[float, float]:
    """Microseconds of CPU for one mail: ours, its HTML cleaned, and the standard library's."""
    parcels, now = [Parcel(due) for due in dues("composed", seed, COMPOSED)], utc_now()
    ours = _cpu_us(lambda: [compose(parcel, AUTHOR, now) for parcel in parcels])
    return ours, _cpu_us(lambda: [_by_email_message(parcel) for parcel in parcels])


def _cpu_us(work: Callable[[], object]) -> float:
    work()
    begun = time.process_time()
    work()
    return (time.process_time() - begun) / COMPOSED * 1e6


def _by_email_message(parcel: Parcel) -> bytes:
    message, content = EmailMessage(), parcel.content
    message["From"], message["To"], message["Subject"] = AUTHOR.address, parcel.to, content.subject
    message["Message-ID"] = f"<{parcel.due.id}@{AUTHOR.domain}>"
    message.set_content(content.text or "")
    message.add_alternative(content.html or "", subtype="html")
    return message.as_bytes()
