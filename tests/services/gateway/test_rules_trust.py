"""Who may see what, and who may write to whom."""

from __future__ import annotations

import pytest

from contracts.request import NotificationRequest
from contracts.status import Channel
from services.gateway.rules import trust
from services.gateway.rules.trust import Caller, Role, Whose

ALICE, BOB = Caller("alice"), Caller("bob")
ADMIN = Caller("root", roles=frozenset({"admin"}))
SERVICE = Caller("billing", roles=frozenset({"service"}))
ELSEWHERE = Caller("alice", tenant="other", roles=frozenset({"admin"}))
HERS = Whose("default", "user:alice", "bob")


@pytest.mark.parametrize(
    ("caller", "read", "change"),
    [
        (ALICE, True, True),
        (BOB, True, False),
        (Caller("carol"), False, False),
        (SERVICE, False, False),
        (ADMIN, True, True),
        (ELSEWHERE, False, False),
    ],
)
def test_own_is_what_one_made_or_is_addressed_by(caller: Caller, read: bool, change: bool) -> None:
    assert (trust.may_read(caller, HERS), trust.may_change(caller, HERS)) == (read, change)


TO_BOB = NotificationRequest(channel=Channel.INAPP, user_id="bob", body="b")
TO_ADDRESS = NotificationRequest(channel=Channel.EMAIL, to="bob@example.com", subject="s", body="b")


@pytest.mark.parametrize(
    ("caller", "request_", "anyone", "may"),
    [
        (ALICE, TO_BOB, ("user", "service", "admin"), True),
        (ALICE, TO_BOB, ("service", "admin"), False),
        (BOB, TO_BOB, ("service", "admin"), True),
        (BOB, TO_ADDRESS, ("service", "admin"), False),
        (SERVICE, TO_ADDRESS, ("service", "admin"), True),
        (SERVICE, TO_ADDRESS, (), False),
    ],
)
def test_a_closed_installation_refuses_strangers(
    caller: Caller, request_: NotificationRequest, anyone: tuple[Role, ...], may: bool
) -> None:
    assert trust.may_address(caller, request_, anyone) is may


@pytest.mark.parametrize(("caller", "may"), [(BOB, True), (ALICE, False), (ADMIN, True), (SERVICE, True)])
def test_a_persons_entry_is_the_persons_own(caller: Caller, may: bool) -> None:
    assert trust.may_edit_person(caller, "bob") is may
