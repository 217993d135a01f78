"""People and programs change their minds: what was asked for is moved, cancelled, said again, or said otherwise."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.identity import child_id, notification_id
from tests.journeys.stack import Stack
from tests.journeys.test_first_journeys import events, mail, publish
from tests.waiting import PATIENCE

pytestmark = pytest.mark.asyncio(loop_scope="module")

LATER = timedelta(hours=3)


def bell(**more: Any) -> dict[str, Any]:
    """A request for one entry of bob's inbox."""
    return {"channel": "inapp", "user_id": "bob", "subject": "Dossier 118", "body": "It is due.", **more}


def after(delay: timedelta) -> str:
    return (datetime.now(UTC) + delay).isoformat()


async def waiting(stack: Stack, **more: Any) -> str:
    """The id of an accepted bell that waits for three hours."""
    asked = await stack.post(bell(send_at=after(LATER), **more), user="bob")
    await stack.wait_for(asked["id"], lambda seen: seen["status"] == "scheduled")
    return str(asked["id"])


async def said_on_kafka(stack: Stack, key: str, **more: Any) -> str:
    """The same, from the program `dossiers`."""
    await publish(stack, json.dumps(bell(send_at=after(LATER), source="dossiers", id=key, **more)).encode())
    id = str(notification_id("default", "source:dossiers", key))
    await stack.wait_for(id, lambda seen: seen["status"] == "scheduled")
    return id


async def command(stack: Stack, **fields: str) -> None:
    await publish(stack, json.dumps({"source": "dossiers", **fields}).encode())


async def test_what_waits_is_moved(stack: Stack) -> None:
    id = await waiting(stack)
    moved = await stack.call("PATCH", f"/v1/notifications/{id}", user="bob", json={"send_at": after(timedelta(0))})
    assert moved.status_code == 202
    done = await stack.final(id)
    assert done["status"] == "sent"
    assert "moved" in events(done)


async def test_what_was_sent_cannot_be_moved_and_the_timeline_says_so(stack: Stack) -> None:
    asked = await stack.post(bell(), user="bob")
    await stack.final(asked["id"])
    await stack.call("PATCH", f"/v1/notifications/{asked['id']}", user="bob", json={"send_at": after(LATER)})
    done = await stack.wait_for(asked["id"], lambda seen: "too_late" in events(seen))
    assert done["status"] == "sent"


async def test_p3_4_a_group_is_cancelled_and_others_are_not(stack: Stack) -> None:
    members = [await waiting(stack, group="dossier/118") for _ in range(3)]
    other = await waiting(stack, group="dossier/119")
    assert (await stack.call("DELETE", "/v1/notifications?group=dossier/118", user="bob")).status_code == 202
    done = await stack.finals(members, within=PATIENCE)
    assert {one["status"] for one in done.values()} == {"cancelled"}
    assert (await stack.get(other) or {})["status"] == "scheduled"


async def test_p3_4_a_group_that_is_cancelled_goes_on_with_what_comes_later(stack: Stack) -> None:
    first = await waiting(stack, group="dossier/120")
    await stack.call("DELETE", "/v1/notifications?group=dossier/120", user="bob")
    await stack.final(first)
    later = await stack.post(bell(group="dossier/120"), user="bob")
    assert (await stack.final(later["id"]))["status"] == "sent"


async def test_a_program_cancels_by_its_own_name_for_it(stack: Stack) -> None:
    id = await said_on_kafka(stack, "118/1")
    await command(stack, type="cancel", id="118/1")
    assert (await stack.final(id))["status"] == "cancelled"


async def test_p3_4_a_cancel_that_comes_first_is_remembered(stack: Stack) -> None:
    await command(stack, type="cancel", id="118/early")
    id = str(notification_id("default", "source:dossiers", "118/early"))
    assert (await stack.final(id))["status"] == "cancelled"
    await publish(stack, json.dumps(bell(source="dossiers", id="118/early")).encode())
    request = await stack.wait_for(id, lambda seen: seen.get("user_id") == "bob")
    assert request["status"] == "cancelled"


async def test_a_program_cancels_its_group(stack: Stack) -> None:
    members = [await said_on_kafka(stack, f"121/{n}", group="dossier/121") for n in range(2)]
    await command(stack, type="cancel", group="dossier/121")
    done = await stack.finals(members, within=PATIENCE)
    assert {one["status"] for one in done.values()} == {"cancelled"}


async def test_a_program_moves_what_it_asked_for(stack: Stack) -> None:
    id = await said_on_kafka(stack, "118/2")
    await command(stack, type="move", id="118/2", send_at=after(timedelta(0)))
    assert (await stack.final(id))["status"] == "sent"


async def test_p1_the_same_key_with_another_body_is_refused_and_changes_nothing(stack: Stack) -> None:
    said = bell(source="dossiers", id="118/3")
    id = str(notification_id("default", "source:dossiers", "118/3"))
    await publish(stack, json.dumps(said).encode())
    await stack.final(id)
    await publish(stack, json.dumps(said | {"body": "It is not."}).encode())
    done = await stack.wait_for(id, lambda seen: "refused" in events(seen))
    assert (done["status"], done["body"]) == ("sent", "It is due.")


async def test_a_person_of_the_directory_is_reached_by_every_channel(stack: Stack) -> None:
    person = {"email": "dora@example.com", "time_zone": "Europe/Paris"}
    put = await stack.call("PUT", "/v1/recipients/dora", user="admin", admin=True, json=person)
    assert put.status_code in (200, 202), put.text
    asked = await stack.post(
        mail("") | {"to": None, "channels": ["email", "inapp"], "channel": None, "user_id": "dora"}
    )
    done = await stack.final(asked["id"])
    assert {child["channel"]: child["status"] for child in done["children"]} == {"email": "sent", "inapp": "sent"}
    await stack.catcher.wait_for(to="dora@example.com")


async def test_p3_6_a_stranger_of_the_directory_is_rejected_with_the_remedy(stack: Stack) -> None:
    asked = await stack.post({"channel": "email", "user_id": "nobody", "subject": "Hello", "body": "Anybody there?"})
    done = await stack.final(asked["id"], within=90)
    assert (done["status"], done["reason"]) == ("rejected", "unknown_recipient")


async def test_p3_5_of_several_that_wait_only_the_newest_is_sent(stack: Stack) -> None:
    older, newer = [
        await waiting(stack, collapse_key="dossier/118", body=text) for text in ("Three days left.", "Two days left.")
    ]
    first = await stack.final(older)
    assert (first["status"], first["reason"]) == ("cancelled", "collapsed")
    await stack.call("PATCH", f"/v1/notifications/{newer}", user="bob", json={"send_at": after(timedelta(0))})
    assert (await stack.final(newer))["status"] == "sent"


async def test_p3_8_nobody_read_it_so_the_next_channel_speaks(stack: Stack) -> None:
    await stack.call("PUT", "/v1/recipients/emma", admin=True, user="admin", json={"email": "emma@example.com"})
    step = [{"after_seconds": 1, "channel": "email"}]
    asked = await stack.post(bell(user_id="emma", subject="Call back", escalate=step), user="emma")
    assert (await stack.final(asked["id"]))["status"] == "sent"
    [mail] = await stack.catcher.wait_for(to="emma@example.com")
    assert mail.subject == "Call back"


async def test_p3_8_in_app_then_email_then_sms_until_somebody_reads_it(stack: Stack) -> None:
    """The plan is data; read after the second step, the third is not sent."""
    gina = {"email": "gina@example.com", "phone": "+15005550001"}
    await stack.call("PUT", "/v1/recipients/gina", admin=True, user="admin", json=gina)
    plan = [{"after_seconds": 1, "channel": "email"}, {"after_seconds": 3600, "channel": "sms"}]
    asked = await stack.post(bell(user_id="gina", subject="Call back", escalate=plan), user="gina")
    mail, text = (str(child_id(UUID(asked["id"]), f"escalate/{n}")) for n in range(2))
    assert (await stack.final(mail))["status"] in {"sent", "delivered"}
    assert (await stack.call("POST", f"/v1/inbox/{asked['id']}/read", user="gina")).is_success
    ended = await stack.final(text)
    assert (ended["status"], ended["reason"]) == ("cancelled", "acknowledged")


async def test_p3_8_what_was_taken_back_is_not_escalated(stack: Stack) -> None:
    await stack.call("PUT", "/v1/recipients/hugo", admin=True, user="admin", json={"email": "hugo@example.com"})
    plan = [{"after_seconds": 3600, "channel": "email"}]
    asked = await stack.post(bell(user_id="hugo", group="trip", escalate=plan), user="hugo")
    assert (await stack.final(asked["id"]))["status"] == "sent"
    assert (await stack.call("DELETE", "/v1/inbox?group=trip", user="hugo")).json()["recalled"] == 1
    ended = await stack.final(str(child_id(UUID(asked["id"]), "escalate/0")))
    assert (ended["status"], ended["reason"]) == ("cancelled", "recalled")


async def test_p3_8_what_was_read_is_not_escalated(stack: Stack) -> None:
    await stack.call("PUT", "/v1/recipients/fred", admin=True, user="admin", json={"email": "fred@example.com"})
    step = [{"after_seconds": 3600, "channel": "email"}]
    asked = await stack.post(bell(user_id="fred", escalate=step), user="fred")
    await stack.final(asked["id"])
    assert (await stack.call("POST", f"/v1/inbox/{asked['id']}/read", user="fred")).is_success
    next_step = str(child_id(UUID(asked["id"]), "escalate/0"))
    assert (await stack.final(next_step))["status"] == "cancelled"


@pytest.mark.parametrize(("to", "end"), [("delivered", "delivered"), ("bounce", "undelivered")])
async def test_simulators_play_their_fate_and_nothing_leaves_the_house(stack: Stack, to: str, end: str) -> None:
    asked = await stack.post(mail(f"{to}@simulator.test"))
    await stack.wait_for(asked["id"], lambda seen: seen["status"] == end)
    assert not stack.catcher.mails(to=f"{to}@simulator.test")
