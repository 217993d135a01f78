"""P3.10: nothing is sent to an address that is dead, has said STOP or has complained, until an admin lifts it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts import events as e
from contracts.status import Channel, Lane, Status
from contracts.suppression import Cause, Suppression, name_of, told
from tests.services.intake.samples import ALICE, FACTS, NOON, OWNER, Intake, id_of, in_, requested, ripe
from tests.services.intake.support import Desk

MAY = datetime(2027, 5, 3, 8, tzinfo=UTC)
GONE, NUMBER = "Gone@Example.org", "+33612345678"


def suppression(address: str = GONE, *, tenant: str = "default", **told: Any) -> e.Setting:
    """The directory's word about an address."""
    channel = Channel.SMS if address.startswith("+") else Channel.EMAIL
    value = {"reason": "hard_bounce", "code": "5.1.1", "at": MAY.isoformat()} | told
    return e.Setting(tenant=tenant, what="suppression", id=name_of(channel, address), value=value)


def lifted(address: str = GONE) -> e.Tombstone:
    return e.Tombstone(path=suppression(address).name)


def mail(key: str = "k1", to: str = "gone@example.org", **more: Any) -> e.Requested:
    return requested(key, to=to, **more)


def ended(said: list[e.Event]) -> tuple[str, str, str | None]:
    (event,) = said
    assert isinstance(event, e.Failed), event
    return event.outcome, event.reason, event.detail


def failed(due: e.Event, **more: Any) -> e.Failed:
    """The sender's word that the address is to blame."""
    assert isinstance(due, e.Due)
    said = {
        "outcome": Status.FAILED,
        "reason": "recipient_refused",
        "detail": "550 5.1.1 <gone@example.org>: no such user",
    }
    return e.Failed(**due.passed_on(), **(said | {"suppress": Cause.HARD_BOUNCE} | more))


async def handed(desk: Desk, key: str = "k1", **more: Any) -> e.Due:
    (due,) = await desk.hear(mail(key, **more))
    assert isinstance(due, e.Due)
    return due


async def test_p3_10_a_suppressed_address_is_refused_and_the_timeline_says_why(desk: Desk) -> None:
    await desk.learn(suppression())
    assert ended(await desk.hear(mail())) == ("rejected", "suppressed", "5.1.1 on 3 May")


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (Suppression(reason="hard_bounce", code="5.1.1", at=MAY), "5.1.1 on 3 May"),
        (Suppression(reason="hard_bounce", code="30005", at=MAY - timedelta(days=365)), "30005 on 3 May 2026"),
        (Suppression(reason="stop", code="21610", at=MAY), "STOP on 3 May"),
        (Suppression(reason="complaint", at=datetime(2027, 5, 3, 22, 30, tzinfo=UTC)), "complaint on 4 May"),
        (Suppression(reason="manual", at=MAY), "by an admin on 3 May"),
        (Suppression(reason="newer_than_we_are", at=MAY), "newer_than_we_are on 3 May"),
        (Suppression(reason="hard_bounce", code="5.1.1"), "5.1.1"),
    ],
)
def test_the_sentence_names_no_address(found: Suppression, sentence: str) -> None:
    assert told(found, MAY, "Europe/Paris") == sentence


@pytest.mark.parametrize("to", ["gone@example.org", "GONE@EXAMPLE.ORG", "Gone@example.org"])
async def test_capital_letters_make_no_other_mailbox(desk: Desk, to: str) -> None:
    await desk.learn(suppression())
    assert ended(await desk.hear(mail(to=to)))[1] == "suppressed"


async def test_a_number_is_the_same_however_it_is_written(desk: Desk) -> None:
    await desk.learn(suppression(NUMBER, reason="stop"))
    said = await desk.hear(requested(channel="sms", to="+33 (0)6 12 34-56.78", subject=None))
    assert ended(said) == ("rejected", "suppressed", "STOP on 3 May")


async def test_another_address_channel_or_tenant_is_not_concerned(desk: Desk) -> None:
    await desk.learn(suppression(), suppression(tenant="elsewhere", address="free@example.org"))
    for one in (mail(to="here@example.org"), mail("k2", tenant="elsewhere"), mail("k3", to="free@example.org")):
        (due,) = await desk.hear(one)
        assert isinstance(due, e.Due)


async def test_urgent_and_transactional_are_refused_too(desk: Desk) -> None:
    """A dead address is dead."""
    await desk.learn(suppression())
    said = await desk.hear(mail(lane=Lane.URGENT, category="security"))
    assert ended(said)[1] == "suppressed"


async def test_a_person_of_the_directory_is_met_by_his_address(desk: Desk) -> None:
    await desk.learn(e.Recipient(user_id="alice", email=GONE, phone=NUMBER), suppression())
    by_mail, by_sms = requested(user_id="alice"), requested("k2", user_id="alice", channel="sms", subject=None)
    said = await desk.hear(by_mail, by_sms)
    assert ended(said[:1])[1] == "suppressed" and isinstance(said[1], e.Due)


async def test_p3_10_what_waits_is_asked_again_when_it_is_ripe() -> None:
    intake = Intake(FACTS)
    intake.hear(requested(user_id="alice", send_at=in_(3600)))
    known = {("default", name_of(Channel.EMAIL, ALICE.email or "")): Suppression(reason="complaint", at=NOON)}
    intake.facts = replace(FACTS, suppressed=known)
    assert ended(intake.hear(ripe(), 3600)) == ("rejected", "suppressed", "complaint on 1 March")


async def test_a_repeat_hears_what_was_decided_before(desk: Desk) -> None:
    """P3.1: lifted or not, the first verdict stays; a new request is judged anew."""
    await desk.learn(suppression())
    first = await desk.hear(mail())
    await desk.learn(lifted())
    assert await desk.hear(mail()) == first
    (due,) = await desk.hear(mail("k2"))
    assert isinstance(due, e.Due)


async def test_what_cannot_be_read_still_stops_the_sending(desk: Desk) -> None:
    await desk.learn(suppression(at="yesterday"))
    assert ended(await desk.hear(mail())) == ("rejected", "suppressed", "by an admin")


class Counting:
    """A connection that counts the questions about addresses."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.questions = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    async def fetch(self, statement: str, *values: Any) -> Any:
        self.questions += "kind = 'suppression'" in statement
        return await self.connection.fetch(statement, *values)


async def test_an_installation_without_suppressions_asks_about_no_address(desk: Desk) -> None:
    """Nor does one whose last was lifted; where there are any, all of a batch are one question."""
    for word, questions in ((suppression(), 1), (lifted(), 0)):
        await desk.learn(word)
        async with desk.db.transaction() as connection:
            counting = Counting(connection)
            batch = [mail(f"{questions}/{n}", to=f"n{n}@example.org") for n in range(50)]
            await desk.judge.handle(counting, desk.messages(batch))  # type: ignore[arg-type]
        assert counting.questions == questions


# ------------------------------------------------------------------------------------------------ what comes back


async def test_p3_10_who_is_to_blame_is_suppressed_by_his_hash(desk: Desk) -> None:
    due = await handed(desk)
    (said,) = await desk.told(failed(due))
    assert isinstance(said, e.Setting)
    assert said.key == f"default/{suppression().name}" and "gone" not in said.model_dump_json().lower()
    value = Suppression.model_validate(said.value)
    assert (value.reason, value.code, value.notification_id) == ("hard_bounce", "5.1.1", due.id)
    await desk.learn(said)
    assert ended(await desk.hear(mail("k2")))[1] == "suppressed"


@pytest.mark.parametrize(
    ("detail", "code"),
    [("21610 Attempt to send to unsubscribed recipient", "21610"), ("550 no such user", "550"), (None, None)],
)
async def test_the_code_is_what_the_provider_said(desk: Desk, detail: str | None, code: str | None) -> None:
    (said,) = await desk.told(failed(await handed(desk), detail=detail))
    assert isinstance(said, e.Setting) and said.value and said.value.get("code") == code


async def test_a_failure_that_blames_nobody_suppresses_nobody(desk: Desk) -> None:
    assert await desk.told(failed(await handed(desk), suppress=None)) == []


async def test_p3_10_a_repeat_of_the_failure_says_the_same_until_it_is_known(desk: Desk) -> None:
    """A crash between database and Kafka loses no suppression; what is known is not said again."""
    due = await handed(desk)
    (first,) = await desk.told(failed(due))
    (again,) = await desk.told(failed(due))
    assert (first.key, first.ce_id) == (again.key, again.ce_id)
    await desk.learn(first, as_of=datetime.now(UTC))
    assert await desk.told(failed(due)) == []


async def test_p3_10_a_repeat_does_not_undo_what_an_admin_lifted(desk: Desk) -> None:
    due = await handed(desk)
    (said,) = await desk.told(failed(due))
    await desk.learn(said, as_of=datetime.now(UTC))
    await desk.learn(lifted(), as_of=datetime.now(UTC) + timedelta(seconds=1))
    assert await desk.told(failed(due)) == []


async def test_p3_10_what_fails_after_the_lifting_is_suppressed_anew(desk: Desk) -> None:
    for hours, word in ((2, suppression()), (1, lifted())):
        await desk.learn(word, as_of=datetime.now(UTC) - timedelta(hours=hours))
    (said,) = await desk.told(failed(await handed(desk)))
    assert isinstance(said, e.Setting)


@pytest.mark.parametrize(("kind", "cause"), [(e.Undelivered, Cause.HARD_BOUNCE), (e.Delivered, Cause.COMPLAINT)])
async def test_p3_10_what_comes_back_later_suppresses_too(
    desk: Desk, kind: type[e.Undelivered | e.Delivered], cause: Cause
) -> None:
    due = await handed(desk)
    await desk.told(e.Sent(**due.passed_on(), at=NOON))
    later = NOON + timedelta(days=1)
    (said,) = await desk.told(kind(**due.passed_on(), at=later, detail="5.1.1 gone", suppress=cause))
    assert isinstance(said, e.Setting) and said.value
    assert (said.value["reason"], said.value["at"]) == (cause, "2027-03-02T12:00:00Z")


async def test_two_failures_of_one_address_are_one_suppression(desk: Desk) -> None:
    dues = [await handed(desk, f"k{n}") for n in range(3)]
    assert len(await desk.told(*[failed(due) for due in dues])) == 1


async def test_the_failure_of_a_stranger_is_nothing(desk: Desk) -> None:
    """Nobody here knows to which address that was sent."""
    due = await handed(desk)
    assert await desk.told(failed(due.model_copy(update={"id": id_of("k9"), "owner": OWNER}))) == []
