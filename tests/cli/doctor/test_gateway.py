"""Troubles behind the gateway: each is made on a real one, and `tocsin doctor` names it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts.topics import ALL
from kit.bus.publisher import Publisher
from kit.clock import utc_now
from kit.settings import JwtSettings
from kit.tokens import signed
from tests import servers as real
from tests.cli.conftest import Done, Place
from tests.cli.doctor.test_by_itself import assert_trouble, findings
from tests.journeys.stack import SECRET, Stack
from tests.kit.bus.support import make, until_true
from tests.kit.control.support import instance
from tests.services.gateway.conftest import due_of
from tests.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMITED = "notifications: {limits: {per_user: {hour: 1}}}"
SHUT = {"state": "shut", "reason": "provider_configuration", "detail": "535 5.7.8 no"}


async def doctor(place: Place, *more: str, **settings: str) -> Done:
    return await place.tocsin("doctor", "--json", *more, **settings)


def token(*, hours: float = 24.0, secret: str = SECRET, **jwt: str) -> str:
    now = utc_now()
    return signed(JwtSettings(**jwt), secret, "root", "admin", now, timedelta(hours=hours))


async def test_a_gateway_that_answers_and_streams(place: Place) -> None:
    await make(place.stack.kafka, *ALL)

    async def all_are_well() -> bool:
        """Who does not answer for four seconds is in trouble, also where only the machine is."""
        found = findings(await doctor(place))
        return {found[name]["state"] for name in ("gateway", "token", "stream", "restart")} == {"ok"}

    await until_true(all_are_well)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (token(hours=-1), ("has expired at", "tocsin token")),
        (token(secret="another secret of this test, long enough"), ("another secret", "start it again")),
        (token(audience="others"), ("aud", "JWT_AUDIENCE")),
        (token(issuer="others"), ("iss", "JWT_ISSUER")),
        ("rubbish", ("no token", "tocsin token")),
        ("tk_" + "a" * 40, ("API key", "tocsin keys create")),
    ],
    ids=["expired", "another secret", "another audience", "another issuer", "no token", "an unknown key"],
)
async def test_a_token_that_is_refused_is_told_why(place: Place, bad: str, words: tuple[str, ...]) -> None:
    assert_trouble(await doctor(place, "--token", bad), "token", *words)


async def test_settings_that_were_changed_and_not_started_again(place: Place) -> None:
    file = place.stack.folder / "notifications.yml"
    before = file.read_text()
    try:
        file.write_text(before.replace("max_attempts: 5", "max_attempts: 7"))
        told = findings(await doctor(place))["restart"]
    finally:
        file.write_text(before)
    assert told["state"] == "note" and "retry" in told["what"] and "start all of them again" in told["remedy"]


async def test_limits_that_are_used_up(
    session: real.Session, kafka_address: str, postgres_url: str, template: str
) -> None:
    """Told of the person that is asked for, with when there is room again."""
    kafka, folder = real.kafka_settings(kafka_address), session.new_folder("limited")
    async with real.copied_database(postgres_url, template) as database:
        async with Stack(kafka, database, folder, session.look_after, services=("gateway",), config=LIMITED) as stack:
            place = Place(stack, Publisher(kafka, "intake", deadline=PATIENCE))
            await place.publisher.start()
            assert findings(await doctor(place, "--user", "bob"))["limits"]["state"] == "ok"
            await place.says(due_of(uuid4()))
            await until_true(lambda: _says(place, "limits", "bob has used all 1 of the hour", "--user", "bob"))
            await place.publisher.stop()
    await real.delete_topics(kafka)


async def test_a_provider_that_is_sick_or_paused(place: Place) -> None:
    def about() -> dict[str, Any]:
        return {"providers": [{"name": "smtp", "channel": "email", "position": 1, **SHUT}]}

    await make(place.stack.kafka, *ALL)
    async with instance(place.stack.kafka, place.stack.database, {}, "email_sender", about=about):
        await until_true(lambda: _says(place, "providers", "smtp (email) is shut: 535 5.7.8 no"))


async def test_a_webhook_at_which_nothing_arrives(place: Place) -> None:
    await make(place.stack.kafka, *ALL)
    id = (await place.tocsin("webhooks", "add", "https://nobody.invalid/hook", "--json")).json["id"]
    assert (await place.tocsin("webhooks", "test", id)).code == 1
    assert_trouble(await doctor(place), "webhooks", "https://nobody.invalid/hook", f"tocsin webhooks test {id}")
    assert (await place.tocsin("webhooks", "disable", id)).code == 0
    assert findings(await doctor(place))["webhooks"]["state"] == "ok"


async def test_a_service_that_is_not_ready(place: Place) -> None:
    await make(place.stack.kafka, *ALL)
    async with instance(place.stack.kafka, place.stack.database, {}, "scheduler") as parts:
        parts.health.ready_when("firing", lambda: False)
        await until_true(lambda: _says(place, "services", "scheduler is not ready: it waits for firing"))


async def test_a_service_that_catches_up_after_a_restore(place: Place) -> None:
    """No trouble, but the reason for which nothing fires."""
    await make(place.stack.kafka, *ALL)
    async with instance(place.stack.kafka, place.stack.database, {}, "scheduler") as parts:
        parts.health.degraded_while("catching_up", lambda: True)
        words = "scheduler reads again what has changed since the backup"
        await until_true(lambda: _says(place, "services", words, state="note"))


async def _says(place: Place, check: str, words: str, *more: str, state: str = "trouble") -> bool:
    done = await doctor(place, *more)
    return any(one["check"] == check and one["state"] == state and words in one["what"] for one in done.json["checks"])
