"""Requests, edits and moments to speak with in tests."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from contracts import events as e
from contracts.identity import notification_id
from contracts.request import NotificationRequest
from contracts.status import Lane
from services.intake.rules.facts import Facts, Person, Policy
from services.intake.rules.ledger import Ledger
from services.intake.rules.row import Moment, Row

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
OWNER = "source:tests"

ALICE = Person("alice@example.org", "+33612345678", "fr", "Europe/Paris")
FACTS = Facts(policy=Policy(), people={("default", "alice"): ALICE}, directory_until=NOON - timedelta(hours=1))


def at(seconds: float = 0) -> Moment:
    """That many seconds after noon, by both clocks."""
    return Moment(NOON + timedelta(seconds=seconds), NOON + timedelta(seconds=seconds))


def id_of(key: str, tenant: str = "default") -> UUID:
    return notification_id(tenant, OWNER, key)


def request(**fields: Any) -> NotificationRequest:
    """An email to alice by address, unless `fields` say otherwise."""
    whole: dict[str, Any] = {"subject": "Hello", "body": "How are you?"}
    if "channels" not in fields:
        whole["channel"] = "email"
    if "user_id" not in fields:
        whole["to"] = "alice@example.org"
    return NotificationRequest.model_validate(whole | fields)


def requested(
    key: str = "k1",
    *,
    lane: Lane = Lane.NORMAL,
    again: bool = False,
    accepted: float = 0,
    tenant: str = "default",
    **fields: Any,
) -> e.Requested:
    """`accepted`: seconds after noon."""
    wanted = request(**fields)
    return e.Requested(
        id=id_of(key, tenant),
        tenant=tenant,
        owner=OWNER,
        channel=wanted.channel,
        user_id=wanted.user_id,
        group=wanted.group,
        lane=lane,
        accepted_at=NOON + timedelta(seconds=accepted),
        request=wanted,
        again=again,
    )


def unacceptable(key: str = "k1", fingerprint: str = "ab" * 32) -> e.Unacceptable:
    return e.Unacceptable(
        id=id_of(key),
        owner=OWNER,
        accepted_at=NOON,
        problems=("to: is not an email address",),
        fingerprint=fingerprint,
        body={},
    )


def cancel(key: str = "k1", *, again: bool = False, tenant: str = "default", **more: Any) -> e.Cancel:
    return e.Cancel(id=id_of(key), command=UUID(int=1), accepted_at=NOON, again=again, tenant=tenant, **more)


def move(key: str = "k1", *, edit: int = 1, to: float = 7200, again: bool = False) -> e.Move:
    """`to`: seconds after noon."""
    new = NOON + timedelta(seconds=to)
    return e.Move(id=id_of(key), command=UUID(int=2), edit=edit, at=new, accepted_at=NOON, again=again)


def ripe(key: str = "k1", round: int = 1) -> e.Ripe:
    return e.Ripe(id=id_of(key), round=round)


def again(key: str = "k1") -> e.Again:
    return e.Again(id=id_of(key))


def in_(seconds: float) -> str:
    """`send_at` that many seconds after noon."""
    return (NOON + timedelta(seconds=seconds)).isoformat()


class Intake:
    """Rows and the events that change them, without a database: what is said comes back."""

    def __init__(self, facts: Facts = FACTS) -> None:
        self.rows: dict[UUID, Row] = {}
        self.facts = facts
        self.newest = dict(facts.newest)

    def hear(self, event: e.Event, seconds: float = 0) -> list[e.Event]:
        """`event`, that many seconds after noon."""
        ledger = Ledger(self.rows, self.facts, at(seconds))
        ledger.newest = self.newest
        said = ledger.hear(event)
        self.rows = ledger.rows
        return said

    def row(self, key: str = "k1") -> Row:
        return self.rows[id_of(key)]


def sent(due: e.Event, **more: Any) -> e.Sent:
    """What the sender says of a due."""
    assert isinstance(due, e.Due)
    return e.Sent(**due.passed_on(), at=NOON, **more)


LATER: dict[str, Any] = {"send_at": in_(3600)}


def kinds(said: list[e.Event]) -> list[str]:
    return [event.ce_type.removeprefix("tocsin.") for event in said]


def handed(**fields: Any) -> tuple[Intake, e.Due]:
    intake = Intake()
    (due,) = intake.hear(requested(**fields))
    assert isinstance(due, e.Due)
    return intake, due
