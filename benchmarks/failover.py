"""One of two relays fails, then stalls, under load: how soon the other one has the mails, and how soon it is back."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Final, Literal

from aiokafka import AIOKafkaProducer

from benchmarks.dues import dues
from benchmarks.installation import Installation
from benchmarks.machine import Circumstances
from contracts.cloudevents import encode
from contracts.events import Due
from contracts.topics import of_event
from kit.settings import KafkaSettings

PER_SECOND: Final = 100
MOSTLY: Final = 90
"""Of them: so many within a second, and the relay has the load."""
MOVED_WITHIN: Final = 10.0
BACK_WITHIN: Final = 60.0
"""Seconds from the fault until the other relay has the load, and from its end until the first one has it again."""
WELL_SECONDS: Final = 10.0
ILL_SECONDS: Final = 40.0
PATIENCE: Final = 30.0
"""Seconds beyond what is promised; then it counts as never."""
REST_SECONDS: Final = 180.0
"""For what hung at the relay that stalled: it waits for that one alone."""
STEP: Final = 0.1
SERVICES: Final = ("scheduler", "email_sender")
CONFIG: Final = """
notifications:
  email:
    retry: {{max_attempts: 5, retry_delay_seconds: 5}}
    providers:
      - {{name: main, type: smtp, host: 127.0.0.1, port: {main}, security: none, from_email: bench@example.com}}
      - {{name: spare, type: smtp, host: 127.0.0.1, port: {spare}, security: none, from_email: bench@example.com}}
"""

Mood = Literal["takes", "fails", "stalls"]


@dataclass
class Relay:
    """Takes mails; or answers 451 to each; or has all of a mail and never says so.

    `came`: whose mail it took, and when. `silent`: whose it perhaps has, for all that anybody else knows.
    """

    came: list[tuple[str, float]] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    port: int = 0
    _mood: Mood = "takes"
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._over.set()
        if self._server:
            self._server.close()

    def be(self, mood: Mood) -> None:
        """From now on. Who hangs here is hung up on."""
        self._mood = mood
        self._over.set()
        self._over = asyncio.Event()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 relay\r\n")
        to = ""
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"QUIT":
                return
            if verb == b"RCPT":
                to = line.decode().split("<")[1].split(">")[0]
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                if self._mood == "stalls":
                    self.silent.add(to)
                    await self._over.wait()
                    return
                self.came.append((to, time.monotonic()))
            writer.write(b"451 4.3.2 not now\r\n" if self._mood == "fails" and verb == b"MAIL" else b"250 ok\r\n")


@dataclass(frozen=True, slots=True)
class Fault:
    """What one fault came to, in seconds. `turns`: how often the load went from one relay to the other; `strayed`:
    mails that the first one perhaps had, and the other one got."""

    mood: str
    moved_after: float
    back_after: float
    turns: int
    strayed: int
    lost: int
    copies: int

    @property
    def holds(self) -> bool:
        in_time = self.moved_after <= MOVED_WITHIN and self.back_after <= BACK_WITHIN
        return in_time and self.turns == 2 and not (self.strayed or self.lost or self.copies)

    def __str__(self) -> str:
        return (
            f"  it {self.mood}: the load is elsewhere after {self.moved_after:.1f} s (promised: {MOVED_WITHIN:g}), "
            f"and back {self.back_after:.1f} s after its end (promised: {BACK_WITHIN:g})\n"
            f"    {self.turns} turns, {self.strayed} unknowns moved, {self.lost} lost, {self.copies} copies"
        )


@dataclass(frozen=True, slots=True)
class Result:
    """Of each fault."""

    faults: tuple[Fault, ...]
    circumstances: Circumstances

    @property
    def holds(self) -> bool:
        return all(fault.holds for fault in self.faults)

    def __str__(self) -> str:
        head = f"failover: one of two relays, {PER_SECOND} mails a second"
        return "\n".join([head, *map(str, self.faults), f"  {self.circumstances}"])

    def as_json(self) -> str:
        return json.dumps(asdict(self) | {"holds": self.holds})


async def measure(_mails: int, seed: int, tell: Callable[[str], None]) -> Result:
    """Their number is a matter of time. Raises TimeoutError where nothing moves at all."""
    circumstances, faults = Circumstances.now(seed), []
    for mood in ("fails", "stalls"):
        tell(f"starting Kafka, PostgreSQL and the sender for a relay that {mood}")
        async with Relay() as main, Relay() as spare:
            installation = Installation(SERVICES, sink=main.port)
            config = installation.folder / "failover.yml"
            config.write_text(CONFIG.format(main=main.port, spare=spare.port))
            installation.settings["TOCSIN_CONFIG"] = str(config)
            async with installation:
                tell(f"{PER_SECOND} mails a second; after {WELL_SECONDS:g} s the first relay {mood}")
                faults.append(await _under_load(installation.kafka_settings, main, spare, mood, seed))
    return Result(tuple(faults), circumstances)


async def _under_load(kafka: KafkaSettings, main: Relay, spare: Relay, mood: Mood, seed: int) -> Fault:
    asked: list[str] = []
    load = asyncio.create_task(_load(kafka, seed, asked))
    await asyncio.sleep(WELL_SECONDS)
    main.be(mood)
    ill = time.monotonic()
    await asyncio.sleep(ILL_SECONDS)
    main.be("takes")
    back = time.monotonic()
    await _until(lambda: carried(main.came, back) is not None, BACK_WITHIN + PATIENCE)
    await asyncio.sleep(WELL_SECONDS)
    load.cancel()
    await asyncio.wait([load])
    over = time.monotonic()
    await _until(lambda: len(_taken(main, spare)) == len(asked), REST_SECONDS)
    taken = _taken(main, spare)
    return Fault(
        mood,
        moved_after=_after(spare.came, ill),
        back_after=_after(main.came, back),
        turns=turns(main.came, spare.came, over),
        strayed=len(main.silent & {to for to, _ in spare.came}),
        lost=len(set(asked) - set(taken)),
        copies=sum(count - 1 for count in taken.values()),
    )


async def _until(true: Callable[[], bool], seconds: float) -> None:
    """So long at most."""
    deadline = time.monotonic() + seconds
    while True:
        if true() or time.monotonic() > deadline:
            return
        await asyncio.sleep(STEP)


def _taken(*relays: Relay) -> Counter[str]:
    return Counter(to for relay in relays for to, _ in relay.came)


def carried(came: Sequence[tuple[str, float]], since: float) -> float | None:
    """When it had `MOSTLY` mails within a second for the first time."""
    times = [at for _, at in came if at >= since]
    return next((end for begin, end in zip(times, times[MOSTLY - 1 :], strict=False) if end - begin <= 1.0), None)


def _after(came: Sequence[tuple[str, float]], since: float) -> float:
    """Seconds; for ever is a number, too, so that it can be written down."""
    end = carried(came, since)
    return round(end - since, 1) if end else 9999.0


def turns(main: Sequence[tuple[str, float]], spare: Sequence[tuple[str, float]], until: float) -> int:
    """How often somebody else has most of a second's mails; seconds in which little came say nothing."""
    seconds = [Counter(int(at) for _, at in came if at < until) for came in (main, spare)]
    busy = sorted(second for second in seconds[0] | seconds[1] if sum(one[second] for one in seconds) >= MOSTLY // 2)
    return sum(before != after for before, after in pairwise(seconds[0][one] > seconds[1][one] for one in busy))


async def _load(kafka: KafkaSettings, seed: int, asked: list[str]) -> None:
    """Until it is cancelled, in even steps."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all")
    await producer.start()
    todo, begun = _mails(seed), time.monotonic()
    try:
        while True:
            while len(asked) < (time.monotonic() - begun) * PER_SECOND:
                due = next(todo)
                record, topic = encode(due, "intake"), kafka.topic_prefix + of_event(due).name
                await producer.send(topic, record.value, key=record.key, headers=record.headers)
                assert due.content and due.content.to
                asked.append(due.content.to)
            await asyncio.sleep(STEP)
    finally:
        await producer.stop()


def _mails(seed: int) -> Iterator[Due]:
    """Each to somebody else, so that a relay can tell them apart."""
    for number, due in enumerate(dues("failover", seed, PER_SECOND * 600)):
        assert due.content
        yield due.model_copy(update={"content": due.content.model_copy(update={"to": f"n{number}@example.com"})})
