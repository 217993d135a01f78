"""A whole gateway that is killed over a delivery: it is delivered again, under the same id."""

from __future__ import annotations

from pathlib import Path

from contracts import events as e
from contracts.status import Channel
from kit.clock import utc_now
from kit.settings import KafkaSettings
from tests.servers import Session
from tests.services.gateway.conftest import ADMIN
from tests.services.gateway.receiving import Receiver, listening
from tests.services.gateway.support import as_owner, others
from tests.services.gateway.test_crashes import process
from tests.waiting import eventually

LENIENT = {"GATEWAY_WEBHOOKS_ALLOW_HTTP": "true", "GATEWAY_WEBHOOKS_PRIVATE_NETWORKS": "127.0.0.0/8"}
LEASE_IS_OVER = "update gateway.webhook_deliveries set leased_until = clock_timestamp() where attempts = 1"


async def test_killed_between_sending_and_recording(
    session: Session, kafka: KafkaSettings, database: str, tmp_path: Path
) -> None:
    async with others(kafka) as services, listening(Receiver()) as receiver:
        async with process(session, kafka, database, tmp_path, "webhook_before_record:kill", **LENIENT) as gateway:
            made = await gateway.http.post("/v1/admin/webhooks", json={"url": receiver.url}, headers=ADMIN)
            assert made.status_code == 201, made.text
            id = (await gateway.post("order-17")).json()["id"]
            common = {"id": id, "owner": "user:alice", "channel": Channel.EMAIL, "accepted_at": utc_now()}
            await services.say(e.Sent(**common, at=utc_now()))
            assert await gateway.process.wait() == 137
        assert len(receiver.posts) == 1
        await as_owner(database, LEASE_IS_OVER)
        async with process(session, kafka, database, tmp_path, **LENIENT) as gateway:
            await eventually(lambda: len(receiver.posts) == 2)
            first, second = receiver.posts
            assert first.id == second.id and first.body == second.body
            where = f"/v1/admin/webhooks/{made.json()['id']}/deliveries"

            async def recorded() -> bool:
                items = (await gateway.http.get(where, headers=ADMIN)).json()["items"]
                return [(one["state"], one["attempts"]) for one in items] == [("delivered", 2)]

            await services.listen_until(recorded)
