"""What has ended is archived and deleted after its days; nothing else is, and nothing later makes it anew."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

from contracts import events as e
from contracts.erasure import Forget, hashed
from kit.archive.records import Wanted
from kit.archive.searching import search
from kit.clock import utc_now
from kit.metrics import Metrics
from services.gateway.handlers import jobs
from services.gateway.handlers.cleaning import Bounds, Done
from services.gateway.handlers.erasing import Erasing
from services.gateway.rules.cleaning import Kept
from services.gateway.settings import WebhookPace
from tests.services.gateway.cleaned import DAY, age, cleaning, common, failed, hear, ids, requested, sent
from tests.services.gateway.conftest import ADMIN, ALICE, BELL, BOB, EMAIL, House, due_of
from tests.services.gateway.support import as_owner


async def left(house: House) -> dict[str, int]:
    """Rows per table that a notification leaves behind."""
    tables = ("notifications", "timeline", "finds", "commands", "refusals", "inbox")
    async with house.database.connection() as connection:
        return {table: await connection.fetchval(f"select count(*) from {table}") for table in tables}


async def test_p8_what_has_ended_goes_after_its_days(house: House, archive: Path) -> None:
    """Sent and cancelled after 30, failed after 7; what is open, or ended a moment ago, stays however old it is."""
    names = ("sent", "cancelled", "failed", "undelivered", "young_sent", "young_failed", "open", "just_ended")
    id = {name: str(uuid4()) for name in names}
    await hear(house, 31, sent(id["sent"], 31), failed(id["cancelled"], 31, outcome="cancelled", reason="cancelled"))
    await hear(house, 8, failed(id["failed"], 8), sent(id["young_sent"], 8))
    await hear(house, 8, e.Undelivered(**common(id["undelivered"], 8), at=utc_now() - 8 * DAY))
    await hear(house, 6, failed(id["young_failed"], 6))
    await hear(house, 90, requested(id["open"], 90), requested(id["just_ended"], 90))
    await hear(house, 1, failed(id["just_ended"], 90))
    told = await cleaning(house, archive).clean_up()
    assert await ids(house) == {id[name] for name in ("young_sent", "young_failed", "open", "just_ended")}
    assert (told["deleted_count"], told["archived"], "detail" in told) == (4, 4, False)
    assert {one["id"] for one in search(archive, Wanted(), 10)} == {
        id[name] for name in ("sent", "cancelled", "failed", "undelivered")
    }
    again = await cleaning(house, archive).clean_up()
    assert (again["deleted_count"], again["archived"]) == (0, 0)


async def test_days_are_those_of_the_settings(house: House, archive: Path) -> None:
    await hear(house, 3, sent(uuid4(), 3), failed(uuid4(), 3))
    told = await cleaning(house, archive, delete_sent_after_days=2, delete_failed_after_days=4).clean_up()
    assert told["deleted_count"] == 1
    told = await cleaning(house, archive, delete_failed_after_days=2, archive_before_delete=False).clean_up()
    assert (told["deleted_count"], told["archived"]) == (1, 0)


async def test_all_of_it_is_archived_and_nothing_of_it_stays(house: House, archive: Path) -> None:
    """Request, timeline and who asked for it; found by address and metadata, and no row of any table is left."""
    id = await house.post(EMAIL | {"to": "Ann.Other@example.com", "metadata": {"order": "17"}}, key="order-17")
    other = await house.http.post(
        "/v1/notifications", json=EMAIL | {"body": "other"}, headers=ALICE | {"Idempotency-Key": "order-17"}
    )
    assert other.status_code == 422
    await house.hears(e.Refused(id=uuid4(), conflicts_with=id, detail="another body", **_who()))
    await house.http.delete(f"/v1/notifications/{id}", headers=ALICE)
    await house.hears(sent(id, 0, provider="smtp"))
    await age(house, id, 31)
    assert (await cleaning(house, archive).clean_up())["deleted_count"] == 1
    [kept] = search(archive, Wanted(to="ann.other@EXAMPLE.com", metadata=(("order", "17"),)), 10)
    assert (kept["id"], kept["subject"], kept["owner"], kept["status"]) == (id, "s", "user:alice", "sent")
    assert [line["provider"] for line in kept["timeline"] if line["event"] == "sent"] == ["smtp"]
    assert set((await left(house)).values()) == {0}
    assert (await house.http.get(f"/v1/notifications/{id}", headers=ALICE)).status_code == 404


def _who() -> dict[str, Any]:
    return {"tenant": "default", "owner": "user:alice", "accepted_at": utc_now()}


async def test_p8_the_same_key_again_is_nothing_new(house: House, archive: Path) -> None:
    """As long as intake knows it: a repeat by REST or Kafka, and a late word, make no new row and count nowhere."""
    id = await house.post(EMAIL, key="order-17")
    await house.hears(failed(id, 0))
    await age(house, id, 8)
    before = await _counts(house)
    await cleaning(house, archive).clean_up()
    assert await house.post(EMAIL, key="order-17") == id
    headers = ALICE | {"Idempotency-Key": "order-17"}
    other = await house.http.post("/v1/notifications", json=EMAIL | {"body": "other"}, headers=headers)
    assert other.status_code == 422
    await house.hears(requested(id, 0), failed(id, 8), e.Delivered(**common(id, 8), at=utc_now()))
    assert set((await left(house)).values()) == {0}
    assert await _counts(house) == before


async def _counts(house: House) -> list[tuple[Any, ...]]:
    async with house.database.connection() as connection:
        rows = await connection.fetch("select rank, sum(n) from hours group by rank having sum(n) <> 0")
    return sorted(tuple(row) for row in rows)


async def test_p8_after_that_its_key_means_something_new(house: House, archive: Path) -> None:
    """Ids are forgotten 35 days after the end."""
    id = await house.post(EMAIL, key="order-17")
    await house.hears(sent(id, 0))
    await age(house, id, 34)
    await cleaning(house, archive).clean_up()
    assert await cleaning(house, archive).forget_ids() == 0
    await as_owner(house.settings.database_url, "update gateway.cleaned set ended_at = ended_at - interval '2 days'")
    assert await cleaning(house, archive).forget_ids() == 1
    await house.post(EMAIL, key="order-17")
    assert id in await ids(house)


async def test_p6_7_no_webhook_hears_again_of_what_is_gone(house: House, archive: Path) -> None:
    """Its outcome is said once more, in one batch with that of a living one: no receiver remembers its id by then."""
    await house.http.post("/v1/admin/webhooks", json={"url": "https://example.org/hook"}, headers=ADMIN)
    gone, living = await house.post(EMAIL), await house.post(EMAIL)
    await house.hears(sent(gone, 0))
    await as_owner(
        house.settings.database_url, "update gateway.webhook_deliveries set state = 'delivered', next_at = null"
    )
    await age(house, gone, 31)
    await cleaning(house, archive).clean_up()
    await as_owner(house.settings.database_url, "delete from gateway.webhook_deliveries")
    await house.hears(sent(gone, 31), sent(living, 0))
    async with house.database.connection() as connection:
        told = await connection.fetch("select notification_id from webhook_deliveries")
    assert [str(row["notification_id"]) for row in told] == [living]


async def test_p6_2_an_entry_goes_with_its_notification_and_never_unread(house: House, archive: Path) -> None:
    """Thirty days after it was read; who comes back from before it loads the inbox anew."""
    unread, read = await house.post(BELL), await house.post(BELL)
    for id in (unread, read):
        await house.shows(due_of(id))
        await house.hears(sent(id, 0, channel="inapp", user_id="bob"))
    assert (await house.http.post(f"/v1/inbox/{read}/read", headers=BOB)).status_code == 200
    for id in (unread, read):
        await age(house, id, 31)
    told = await cleaning(house, archive, delete_sent_after_days=1).clean_up()
    assert (told["deleted_count"], told["inbox"]) == (1, 1)
    assert await ids(house) == {unread}
    items = (await house.http.get("/v1/inbox", headers=BOB)).json()["items"]
    assert [one["id"] for one in items] == [unread]
    async with house.database.connection() as connection:
        assert await connection.fetchval("select trimmed from people where user_id = 'bob'") == 2


async def on_both(house: House) -> tuple[str, dict[str, str]]:
    """A notification on two channels; its id, and those of its parts."""
    id = await house.post({"channels": ["email", "sms"], "user_id": "bob", "subject": "s", "body": "b"})
    return id, {one["channel"]: one["id"] for one in (await house.get(id))["children"]}


async def test_p6_3_several_channels_go_together(house: House, archive: Path) -> None:
    """None of them goes before the last: its status is made of all."""
    id, parts = await on_both(house)
    await house.hears(failed(parts["sms"], 0, channel="sms"), sent(parts["email"], 0))
    for one in (*parts.values(), id):
        await age(house, one, 8)
    assert (await cleaning(house, archive).clean_up())["deleted_count"] == 0
    assert (await house.get(id))["status"] == "sent" and len((await house.get(id))["children"]) == 2
    for one in (*parts.values(), id):
        await age(house, one, 23)
    assert (await cleaning(house, archive, Bounds(at_once=1)).clean_up())["deleted_count"] == 3
    assert await ids(house) == set()


async def test_p6_3_what_failed_on_all_channels_goes_as_what_failed(house: House, archive: Path) -> None:
    """With what asked for them, which would be open again without them; remembered as long as the last of them."""
    id, parts = await on_both(house)
    await house.hears(*(failed(part, 0, channel=name) for name, part in parts.items()))
    for one in (*parts.values(), id):
        await age(house, one, 7.5)
    assert (await cleaning(house, archive, Bounds(at_once=1)).clean_up())["deleted_count"] == 3
    assert set((await left(house)).values()) == {0}
    assert (await house.http.get(f"/v1/notifications/{id}", headers=ALICE)).status_code == 404
    async with house.database.connection() as connection:
        last = "select ended_at from cleaned where id = $1"
        ends = [await connection.fetchval(last, UUID(one)) for one in (id, *parts.values())]
    assert ends[0] == max(ends)


async def test_what_changes_of_a_family_over_the_archiving_keeps_it_whole(house: House, archive: Path) -> None:
    id, parts = await on_both(house)
    await house.hears(*(sent(part, 0, channel=name) for name, part in parts.items()))
    for one in (*parts.values(), id):
        await age(house, one, 31)
    house_of_one = cleaning(house, archive)
    heads, overs, _ = await house_of_one._read("default", await _places(house), _kept())
    await hear(house, 0, e.Delivered(**common(parts["sms"], 31, "sms"), at=utc_now() - 31 * DAY))
    await house_of_one._delete(heads, overs, done := Done())
    assert len(overs) == 3 and done.deleted == 0


async def test_p6_1_a_word_about_what_was_cleaned_up_is_an_answer(house: House, archive: Path) -> None:
    """Whatever the outbox asks about it: nobody will say anything else."""
    id, parts = await on_both(house)
    await house.hears(*(failed(part, 0, channel=name) for name, part in parts.items()))
    for one in (*parts.values(), id):
        await age(house, one, 7.5)
    await cleaning(house, archive).clean_up()
    for asked in (id, parts["sms"]):
        await ask_cancel(house, asked)
    await house.hears(failed(parts["sms"], 7.5, channel="sms"))
    assert await waiting(house) == 0
    assert await ids(house) == set()


async def waiting(house: House) -> int:
    """How many rows of the outbox have no answer."""
    async with house.database.connection() as connection:
        n: int = await connection.fetchval("select count(*) from outbox")
    return n


async def ask_cancel(house: House, id: str) -> None:
    await as_owner(
        house.settings.database_url,
        "insert into gateway.outbox (id, command, kind, tenant, topic, event, accepted_at, next_at)"
        f" values ('{id}', gen_random_uuid(), 'cancel', 'default', 't', '{{}}', now(), now())",
    )


async def test_what_the_outbox_has_to_say_stays(house: House, archive: Path) -> None:
    """Nobody knows yet whether the judge has heard of it."""
    id = await house.post(EMAIL)
    await house.hears(sent(id, 0))
    await age(house, id, 31)
    await ask_cancel(house, id)
    assert (await cleaning(house, archive).clean_up())["deleted_count"] == 0


async def test_what_changes_over_the_archiving_stays(house: House, archive: Path) -> None:
    """A late word comes between reading and deleting: the next run archives it as it is then."""
    id = str(uuid4())
    await hear(house, 31, sent(id, 31))
    house_of_one = cleaning(house, archive)
    heads, overs, _ = await house_of_one._read("default", await _places(house), _kept())
    await hear(house, 0, e.Delivered(**common(id, 31), at=utc_now() - 31 * DAY))
    await house_of_one._delete(heads, overs, done := Done())
    assert done.deleted == 0 and await ids(house) == {id}


async def _places(house: House) -> list[UUID]:
    async with house.database.connection() as connection:
        return [row["place"] for row in await connection.fetch("select place from notifications")]


def _kept() -> Kept:
    return Kept.at(utc_now(), 30, 7)


async def test_p8_who_is_forgotten_is_forgotten_in_the_archive(house: House, archive: Path) -> None:
    """And the report says how many; until then an export shows it."""
    id = await house.post(EMAIL | {"to": "bob@example.com"})
    await house.hears(sent(id, 0))
    await age(house, id, 31)
    await cleaning(house, archive).clean_up()
    exported = await house.http.get("/v1/admin/people/bob/export?address=bob@example.com", headers=ADMIN)
    assert [(one["id"], one["to"]) for one in exported.json()["archived"]] == [(id, "bob@example.com")]
    who = Forget(tenant="default", user_id="bob", address_hashes=(hashed("bob@example.com"),), through=utc_now())
    told = await Erasing(house.database, None, archive).forget(who.model_dump(mode="json"))  # type: ignore[arg-type]
    assert (told["archived"], told["archives"]) == (1, 1)
    [kept] = search(archive, Wanted(id=id), 10)
    assert kept["forgotten"] and "to" not in kept and "subject" not in kept


async def test_p7_what_nobody_needs_any_more_goes_and_what_differs_stays(house: House, archive: Path) -> None:
    """Poison, and what was said of ids that never came, after 35 days; of intake's hours all but losses."""
    there = await house.post(EMAIL)
    for statement in _OLD_AND_YOUNG:
        await as_owner(house.settings.database_url, statement.format(there=there))
    nobody = cast(Any, SimpleNamespace(forget=None))
    works = jobs.works(house.database, nobody, nobody, cleaning(house, archive), WebhookPace(), Metrics())
    done = await works["cleanup"]({})
    assert {kind: done[kind] for kind in ("poison", "commands", "refusals", "judged_hours")} == {
        "poison": 1,
        "commands": 1,
        "refusals": 1,
        "judged_hours": 1,
    }
    assert (await works["cleanup"]({}))["poison"] == 0


_OLD_AND_YOUNG = (
    'insert into gateway.poison (id, tenant, topic, partition, "offset", timestamp, error, size, sha256, value,'
    " reported_by, seen_at) select gen_random_uuid(), 'default', 't', 0, 0, at, 'e', 0, 'x', '', 'gateway', at"
    " from unnest(array[now() - interval '36 days', now() - interval '34 days']) as at",
    "insert into gateway.commands (id, command, kind, at) select id, gen_random_uuid(), 'cancel', at from (values"
    " (gen_random_uuid(), now() - interval '36 days'), (gen_random_uuid(), now()),"
    " ('{there}'::uuid, now() - interval '99 days')) as v(id, at)",
    "insert into gateway.refusals (id, refusal, at) select id, gen_random_uuid(), at from (values"
    " (gen_random_uuid(), now() - interval '36 days'), (gen_random_uuid(), now()),"
    " ('{there}'::uuid, now() - interval '99 days')) as v(id, at)",
    "insert into gateway.judged_hours (hour, accepted, final, at, difference) values"
    " (now() - interval '36 days', 1, 1, now(), null), (now() - interval '37 days', 1, 1, now(), '1/1/0/0'),"
    " (now(), 1, 1, now(), null)",
)
