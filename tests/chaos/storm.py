"""Load and faults together, and a judge that looks only at what the mail catcher holds."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaProducer

from contracts.identity import notification_id
from tests.journeys.stack import Instance, Stack


@dataclass
class Verdict:
    """What the catcher says about the mails that were accepted."""

    accepted: int
    lost: list[str]
    copies: int
    unflagged: list[str]

    @property
    def copied_share(self) -> float:
        return self.copies / max(self.accepted, 1)

    def __str__(self) -> str:
        return (
            f"{self.accepted} accepted, {len(self.lost)} lost, {self.copies} copies ({self.copied_share:.2%}), "
            f"{len(self.unflagged)} of them not flagged"
        )


@dataclass
class Load:
    """Mails asked for by REST and by Kafka, in equal parts; what was promised is remembered, id by recipient."""

    stack: Stack
    local_part: str = ""
    run: str = field(default_factory=lambda: uuid4().hex[:8])
    promised: dict[str, str] = field(default_factory=dict)

    async def offer(self, count: int, per_second: float) -> None:
        """Asks for `count` mails, evenly; whoever is refused asks again with the same key, as clients do."""
        producer = AIOKafkaProducer(bootstrap_servers=self.stack.kafka.bootstrap_servers, acks="all")
        await producer.start()
        began, jobs = time.monotonic(), []
        try:
            for n in range(count):
                jobs.append(asyncio.create_task(self._by_rest(n) if n % 2 else self._by_kafka(producer, n)))
                await asyncio.sleep(max(0.0, began + n / per_second - time.monotonic()))
            await asyncio.gather(*jobs)
        finally:
            await producer.stop()

    async def _by_rest(self, n: int) -> None:
        body, key = self._mail(n), f"{self.run}-{n}"
        for pause in itertools.chain((0.05, 0.1, 0.2), itertools.repeat(0.5, 120)):
            try:
                self.promised[body["to"]] = (await self.stack.post(body, key=key, user="chaos"))["id"]
                return
            except (httpx.HTTPError, AssertionError, StopIteration, RuntimeError):
                await asyncio.sleep(pause)
        raise TimeoutError(f"nobody accepted {body['to']}")

    async def _by_kafka(self, producer: AIOKafkaProducer, n: int) -> None:
        body, key = self._mail(n), f"{self.run}-{n}"
        value = json.dumps(body | {"id": key, "source": "chaos"}).encode()
        await producer.send_and_wait(self.stack.kafka.topic_prefix + "notifications.requested", value)
        self.promised[body["to"]] = str(notification_id("default", "source:chaos", key))

    def _mail(self, n: int) -> dict[str, str]:
        to = f"{self.local_part}{self.run}-{n}@example.com"
        return {"channel": "email", "to": to, "subject": f"Mail {n}", "body": "It came."}

    async def arrived(self, within: float) -> Verdict:
        """Waits until every promised mail is there and every notification has ended; then judges."""
        over = time.monotonic() + within
        while time.monotonic() < over and self._missing():  # noqa: ASYNC110 - the mails come from other processes
            await asyncio.sleep(0.25)
        if not self._missing():
            await self.stack.finals(self.promised.values(), max(over - time.monotonic(), 5))
        return self.judge()

    async def quiet(self, seconds: float) -> None:
        """Returns when no mail has come for so long."""
        last, since = len(self._mails()), time.monotonic()
        while time.monotonic() - since < seconds:
            await asyncio.sleep(0.25)
            if len(self._mails()) != last:
                last, since = len(self._mails()), time.monotonic()

    def _missing(self) -> list[str]:
        there = {mail.to for mail in self._mails()}
        return [to for to in self.promised if to not in there]

    def _mails(self) -> list[Caught]:
        return [
            Caught(recipient, mail.copy is not None)
            for mail in self.stack.catcher.mailbox.find(limit=1_000_000)
            for recipient in mail.recipients
            if recipient in self.promised
        ]

    def judge(self) -> Verdict:
        """Copies are beyond the first of a recipient; each needs a mail that carries the flag."""
        mails = self._mails()
        counts, flagged = Counter(mail.to for mail in mails), Counter(mail.to for mail in mails if mail.flagged)
        return Verdict(
            accepted=len(self.promised),
            lost=[to for to in self.promised if not counts[to]],
            copies=sum(count - 1 for count in counts.values()),
            unflagged=[to for to, count in counts.items() if count - 1 > flagged[to]],
        )


@dataclass(frozen=True, slots=True)
class Caught:
    """One mail of the catcher, as far as the judge needs it."""

    to: str
    flagged: bool


async def kill_in_turn(stack: Stack, services: tuple[str, ...], every: float, until: asyncio.Event) -> int:
    """kill -9, one instance after the other, and up again at once; how many were killed."""
    victims = itertools.cycle(_in_turn(stack, services))
    for killed in itertools.count():
        try:
            await asyncio.wait_for(until.wait(), every)
            return killed
        except TimeoutError:
            victim = next(victims)
            stack.kill(victim)
            stack.start(victim)
    raise AssertionError


def _in_turn(stack: Stack, services: tuple[str, ...]) -> list[Instance]:
    groups = [stack.of(service) for service in services]
    return [group[n] for n in range(max(map(len, groups))) for group in groups if n < len(group)]
