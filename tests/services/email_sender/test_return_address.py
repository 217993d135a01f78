"""Where a mail comes back to names its hand-over, survives what servers do to it, and cannot be made up."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from kit.settings import SettingsError, load
from services.email_sender.app import return_addresses
from services.email_sender.rules.return_address import BadReturnAddress, HandOver, ReturnAddress

SECRET = "a secret of the tests, long enough for signing"
ID = UUID("01a3ffe3-8e05-73fd-a35f-04dc8c462986")
OURS = ReturnAddress("bounces@example.org", SECRET)


@pytest.mark.parametrize("number", [1, 2, 255, 256, 30_000])
def test_what_was_made_is_read(number: int) -> None:
    address = OURS.of(ID, number)
    assert OURS.read(address) == HandOver(ID, number)
    local, _, domain = address.partition("@")
    assert domain == "example.org" and len(local) <= 64 and address.isascii() and address == address.lower()


def test_another_hand_over_has_another_one() -> None:
    assert len({OURS.of(id, number) for id in (ID, uuid4()) for number in (1, 2)}) == 4


def test_capital_letters_change_nothing() -> None:
    """RFC 5321 lets nobody change them, and some do."""
    assert OURS.read(OURS.of(ID, 1).upper()) == HandOver(ID, 1)
    assert ReturnAddress("Bounces@Example.ORG", SECRET).read(OURS.of(ID, 1)) == HandOver(ID, 1)


def test_every_letter_of_it_is_signed() -> None:
    address = OURS.of(ID, 1)
    for place in range(len("bounces+"), address.index("@")):
        other = "a" if address[place] != "a" else "b"
        assert OURS.read(address[:place] + other + address[place + 1 :]) is None, place


@pytest.mark.parametrize(
    "address",
    [
        "",
        "bounces@example.org",
        "bounces+@example.org",
        "bounces+complaints@example.org",
        "bounces+token@example.org",
        f"bounces+{'a' * 45}@example.org",
        f"bounces+{'é' * 45}@example.org",
        f"bounces+{'=' * 45}@example.org",
        f"bounces+{'a' * 44}@example.org",
        f"bounces+{'a' * 5000}@example.org",
        OURS.of(ID, 1).replace("example.org", "example.net"),
        OURS.of(ID, 1).replace("bounces", "bounce"),
        OURS.of(ID, 1).replace("@", "x@"),
        f" {OURS.of(ID, 1)}",
        f"{OURS.of(ID, 1)}.",
        ReturnAddress("bounces@example.org", SECRET + "x").of(ID, 1),
        ReturnAddress("other@example.org", SECRET).of(ID, 1),
    ],
)
def test_what_was_not_signed_is_nobodys(address: str) -> None:
    assert OURS.read(address) is None


def test_the_last_letter_has_one_spelling() -> None:
    """45 letters hold one bit more than 28 bytes: two tokens must not mean the same."""
    address, letters = OURS.of(ID, 1), "abcdefghijklmnopqrstuvwxyz234567"
    last = address.index("@") - 1
    twin = letters[letters.index(address[last]) ^ 1]
    assert OURS.read(address[:last] + twin + address[last + 1 :]) is None


def test_feedback_loops_have_an_address_of_their_own() -> None:
    assert OURS.takes_complaints("Bounces+Complaints@example.org")
    assert not OURS.takes_complaints("complaints@example.org") and not OURS.takes_complaints(OURS.of(ID, 1))


@pytest.mark.parametrize(
    "address", ["bounces", "b+x@example.org", f"{'b' * 19}@example.org", "bönces@example.org", "@"]
)
def test_what_leaves_no_room_is_an_error_that_says_so(address: str) -> None:
    with pytest.raises(BadReturnAddress):
        ReturnAddress(address, SECRET)


VARIABLES = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1/none",
    "SMTP_HOST": "relay.example.org",
    "SMTP_FROM_EMAIL": "a@example.org",
    "TOCSIN_LINK_SECRET": SECRET,
}


def test_chosen_by_the_settings(tmp_path: Path) -> None:
    told = load(tmp_path, VARIABLES | {"SMTP_BOUNCE_ADDRESS": "bounces@example.org"})
    assert return_addresses(told)["smtp"].read(OURS.of(ID, 3)) == HandOver(ID, 3)
    assert return_addresses(load(tmp_path, VARIABLES)) == {}


def test_none_with_gmail(tmp_path: Path) -> None:
    """It puts its own in their place; whoever sets one is told so."""
    told = load(tmp_path, VARIABLES | {"SMTP_HOST": "smtp.gmail.com", "SMTP_BOUNCE_ADDRESS": "bounces@example.org"})
    assert return_addresses(told) == {} and "SMTP_BOUNCE_ADDRESS" in " ".join(told.warnings)


@pytest.mark.parametrize(
    ("variable", "value"), [("SMTP_BOUNCE_ADDRESS", "bounces+x@example.org"), ("TOCSIN_LINK_SECRET", None)]
)
def test_a_bad_setting_is_named(tmp_path: Path, variable: str, value: str | None) -> None:
    told = {"SMTP_BOUNCE_ADDRESS": "bounces@example.org"} | VARIABLES | {variable: value}
    with pytest.raises(SettingsError, match=variable):
        return_addresses(load(tmp_path, {name: text for name, text in told.items() if text is not None}))
