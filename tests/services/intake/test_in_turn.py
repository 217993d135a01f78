"""P9, after a restore: outcomes are heard when the rows are there that they end."""

import asyncpg

from contracts.topics import INTAKE, REQUESTED, SENT
from kit.bus.consumer import Consumer
from kit.clock import utc_now
from kit.metrics import Metrics
from kit.postgres import Database
from kit.restored import CatchingUp, store
from kit.restored.rules import Mark
from kit.settings import KafkaSettings
from services.intake.app import hear_in_turn
from tests.kit.bus.support import IDS, answered, joined, make, poll_until, read, say, set_commits

TOPIC = next(iter(REQUESTED.values()))


async def test_p9_outcomes_are_heard_when_what_they_end_was_read_again(database: str, kafka: KafkaSettings) -> None:
    """Else what was sent in a digest would be gathered into another one, and sent again."""
    await make(kafka, TOPIC, SENT)
    await say(kafka, TOPIC, IDS[:30])
    await say(kafka, SENT, IDS[:3])
    await _restored(database)
    db = await Database.open(database, "intake", size=2)
    answers = Consumer(kafka, "readers", [[SENT]])
    catching_up = CatchingUp(db, kafka, Metrics(), lambda one: hear_in_turn(answers, one))
    try:
        await catching_up.start()
        await catching_up.stop()
        async with joined(answers):
            await poll_until(answers, lambda: answers.ready)
            assert not await answers.poll(500, 1.0)
            await set_commits(kafka, INTAKE.name, TOPIC, {0: (1, "1700000000000")})
            await answered(catching_up.once)
            assert catching_up.over
            assert len(await read(answers, 3)) == 3
    finally:
        await db.close()


async def _restored(database: str) -> None:
    owner = await asyncpg.connect(database)
    try:
        await store.begin(owner, "intake", [Mark(INTAKE.name, TOPIC.name, 0, 1, None, utc_now())])
    finally:
        await owner.close()
