"""Where a mail comes back to names its hand-over, survives what servers do to it, and cannot be made up."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from kit.settings import SettingsError, load
from services.email_sender.app import return_addresses
from services.email_sender.rules.return_address import (
    KEY_DAYS,
    KNOWN_DAYS,
    LAPSES_DAYS,
    BadReturnAddress,
    Origin,
    ReturnAddress,
)

SECRET = "a secret of the tests, long enough for signing"
ID = UUID("01a3ffe3-8e05-73fd-a35f-04dc8c462986")
OURS = ReturnAddress("bounces@example.org", SECRET)
DAY = 740_000
ANN = "ann@example.com"


def of(id: UUID = ID, number: int = 1, to: str = ANN, by: ReturnAddress = OURS) -> str:
    return by.of(id, number, to, DAY)


def read(address: str, by: ReturnAddress = OURS, day: int = DAY) -> tuple[UUID, int] | None:
    found = by.read(address, day)
    return found and found[:2]


@pytest.mark.parametrize("number", [1, 2, 255, 256, 30_000])
def test_what_was_made_is_read(number: int) -> None:
    address = of(ID, number)
    assert read(address) == (ID, number)
    local, _, domain = address.partition("@")
    assert domain == "example.org" and len(local) <= 64 and address.isascii() and address == address.lower()


def test_another_hand_over_has_another_one() -> None:
    assert len({of(id, number) for id in (ID, uuid4()) for number in (1, 2)}) == 4


def test_capital_letters_change_nothing() -> None:
    """RFC 5321 lets nobody change them, and some do."""
    assert read(of().upper()) == (ID, 1)
    assert read(of(), by=ReturnAddress("Bounces@Example.ORG", SECRET)) == (ID, 1)


def test_every_letter_of_it_is_signed() -> None:
    address = of()
    for place in range(len("bounces+"), address.index("@")):
        other = "a" if address[place] != "a" else "b"
        assert read(address[:place] + other + address[place + 1 :]) is None, place


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
        of().replace("example.org", "example.net"),
        of().replace("bounces", "bounce"),
        of().replace("@", "x@"),
        f" {of()}",
        f"{of()}.",
        of(by=ReturnAddress("bounces@example.org", SECRET + "x")),
        of(by=ReturnAddress("other@example.org", SECRET)),
    ],
)
def test_what_was_not_signed_is_nobodys(address: str) -> None:
    assert read(address) is None


@pytest.mark.parametrize("day", range(DAY, DAY + KEY_DAYS))
def test_it_is_good_for_thirty_days_and_not_for_ever(day: int) -> None:
    """On whichever day of its key it was signed."""
    address = OURS.of(ID, 1, ANN, day)
    good = [after for after in range(-1, LAPSES_DAYS + 2 * KEY_DAYS) if OURS.read(address, day + after)]
    assert good[: LAPSES_DAYS + 2] == list(range(-1, LAPSES_DAYS + 1)) and len(good) <= LAPSES_DAYS + 2 + KEY_DAYS
    assert not OURS.has_lapsed(address, day + LAPSES_DAYS)
    assert OURS.has_lapsed(address, day + LAPSES_DAYS + KEY_DAYS) and OURS.has_lapsed(address, day + KNOWN_DAYS)
    assert not OURS.has_lapsed(address, day + 2 * KNOWN_DAYS)


def test_it_tells_whom_it_was_sent_to_from_anybody_else() -> None:
    found = OURS.read(of(), DAY)
    assert isinstance(found, Origin)
    assert found.went_to("Ann@Example.com") and not found.went_to("ann@example.net")


def test_the_last_letter_has_one_spelling() -> None:
    """45 letters hold one bit more than 28 bytes: two tokens must not mean the same."""
    address, letters = of(), "abcdefghijklmnopqrstuvwxyz234567"
    last = address.index("@") - 1
    twin = letters[letters.index(address[last]) ^ 1]
    assert read(address[:last] + twin + address[last + 1 :]) is None


def test_feedback_loops_have_an_address_of_their_own() -> None:
    assert OURS.takes_complaints("Bounces+Complaints@example.org")
    assert not OURS.takes_complaints("complaints@example.org") and not OURS.takes_complaints(of())


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
    assert read(of(ID, 3), by=return_addresses(told)["smtp"]) == (ID, 3)
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
