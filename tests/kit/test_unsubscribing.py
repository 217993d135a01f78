"""A link to unsubscribe comes back as what was signed, and as nothing else."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.unsubscribing import PATH, Subscription, Unsubscribing

SECRET = "a secret of the tests, which is long enough"
OURS = Unsubscribing("https://notify.example.org/", SECRET, ["security"])

names = st.text(st.characters(codec="utf-8", exclude_characters="/", exclude_categories=("Cs",)), min_size=1)


def token_of(tenant: str = "default", user_id: str = "alice", category: str = "news") -> str:
    link = OURS.link(tenant, user_id, category)
    assert link and link.startswith(f"https://notify.example.org{PATH}")
    return link.rpartition("/")[2]


@given(tenant=names, user_id=names, category=names)
def test_what_was_signed_comes_back(tenant: str, user_id: str, category: str) -> None:
    token = token_of(tenant, user_id, category)
    assert token.isascii() and not set(token) & set("=+/ <>")
    assert OURS.read(token) == Subscription(tenant, user_id, category)


def test_the_same_link_at_every_repeat() -> None:
    assert token_of() == token_of() != token_of(user_id="bob")


def test_a_transactional_category_has_no_link_and_loses_those_it_had() -> None:
    assert OURS.link("default", "alice", "security") is None
    before = Unsubscribing("https://notify.example.org", SECRET, []).link("default", "alice", "security")
    assert before and OURS.read(before.rpartition("/")[2]) is None


def forged(change: bytes) -> str:
    """The signature of one thing, on another."""
    signed = urlsafe_b64decode(token_of() + "==")
    return urlsafe_b64encode(signed[:16] + change).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "0",
        "é",
        "not a token",
        "A" * 5000,
        forged(b"default/bob/news"),
        forged(b"elsewhere/alice/news"),
        forged(b"default/alice/offers"),
        forged(b"default/alice"),
        token_of()[:-2],
        "A" + token_of(),
    ],
)
def test_what_we_did_not_sign_is_nothing(token: str) -> None:
    assert OURS.read(token) is None


def test_another_secret_signs_nothing_of_ours() -> None:
    assert Unsubscribing("https://notify.example.org", SECRET + "!", []).read(token_of()) is None
