"""Addresses, row by row: what is taken, what is refused, and what the refusal says."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts import addresses
from contracts.addresses import BadAddress

LONG = "a" * 64


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("alice@example.org", "alice@example.org"),
        ("Alice.Martin+news@Mail.Example.ORG", "Alice.Martin+news@mail.example.org"),
        ("o'brien@example.org", "o'brien@example.org"),
        (f"{LONG}@example.org", f"{LONG}@example.org"),
        ("jürgen@müller.de", "jürgen@müller.de"),
        ("почта@почта.рф", "почта@почта.рф"),
        ("info@日本語かな.jp", "info@日本語かな.jp"),
        ("delivered@simulator.test", "delivered@simulator.test"),
        ("unknown+7@simulator.test", "unknown+7@simulator.test"),
    ],
)
def test_an_email_address_is_taken(text: str, normal: str) -> None:
    assert addresses.email(text) == normal


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must have an @-sign"),
        ("nobody", "must have an @-sign"),
        ("a@b", "period"),
        ("a..b@example.org", "two periods"),
        (".a@example.org", "period"),
        ("a.@example.org", "period"),
        (f"{LONG}a@example.org", "too long"),
        ("a@" + "b." * 130 + "org", "too long"),
        ('"a b"@example.org', "Quoting"),
        ("a@[127.0.0.1]", "bracketed IP"),
        ("Alice <alice@example.org>", "not valid|display name|invalid"),
        ("a@example.org\r\nBcc: b@example.org", "invalid|not valid"),
        ("a\x00@example.org", r"U\+0000"),
        ("delivered+\r\n@simulator.test", "invalid characters"),
        ("stranger@simulator.test", "special-use"),
        ("a@localhost", "period"),
        ("a@\u0430pple.com", "mixes alphabets"),
        ("a@xn--pple-43d.com", "mixes alphabets"),
        ("a@\u03b1pple.gr", "mixes alphabets"),
        ("a@p\u0430ypal.example.org", "mixes alphabets"),
        ("\ud800@example.org", "unsafe"),
    ],
)
def test_an_email_address_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadAddress, match=says):
        addresses.email(text)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("+33612345678", "+33612345678"),
        ("+33 6 12 34 56 78", "+33612345678"),
        ("+33(0)6.12.34.56.78", "+33612345678"),
        ("+1 415-555-2671", "+14155552671"),
        ("+15005550005", "+15005550005"),
    ],
)
def test_a_number_is_taken(text: str, normal: str) -> None:
    assert addresses.phone(text) == normal


@pytest.mark.parametrize(
    "text",
    ["", "0612345678", "33612345678", "+336", "+999123456789", "+33612345678 ext. 5", "+1800FLOWERS", "+3361234567\n8",
     "+33012345678", "+١٢٣٤٥٦٧٨٩٠", "tel:+33612345678", "+" + "3" * 40],
)  # fmt: skip
def test_a_number_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        addresses.phone(text)


def test_simulators_are_these_and_no_others() -> None:
    for number, name in enumerate(("delivered", "bounce", "slow", "unavailable", "unknown"), start=1):
        assert addresses.simulator(f"{name}@simulator.test") == name
        assert addresses.simulator(f"{name.upper()}+x@Simulator.Test") == name
        assert addresses.simulator(f"+1500555000{number}") == name
    for other in ("x@simulator.test", "delivered@example.org", "+15005550006", "delivered", "", "+"):
        assert addresses.simulator(other) is None


@given(st.text() | st.from_regex(r"[^@]{1,8}@[^@]{1,12}"))
@example("a@b.org\x00")
def test_whatever_it_is_it_is_an_address_or_a_bad_one(text: str) -> None:
    for check in (addresses.email, addresses.phone):
        try:
            normal = check(text)
        except BadAddress:
            continue
        assert check(normal) == normal
        assert normal.isprintable()
