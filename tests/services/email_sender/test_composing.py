"""Whatever the texts hold, Python's own mail parser reads back what was meant, and no header more."""

import time
from base64 import b64encode
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Content, Due
from contracts.request import Attachment
from contracts.status import Channel
from kit.delivery.provider import Parcel
from services.email_sender.composing.mail import Author, compose
from services.email_sender.composing.words import Unsafe

NOW = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)
AUTHOR = Author.of("Agence Été <noreply@example.com>")
ID = UUID("f904cd51-b3a6-53a2-91c1-0d6d93ab2b61")

lines = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=200)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r", exclude_categories=("Cs",)), max_size=3000)


def parcel(copy: bool = False, **content: object) -> Parcel:
    """One mail to Ann."""
    due = Due(
        id=ID,
        channel=Channel.EMAIL,
        accepted_at=NOW,
        owner="user:alice",
        round=0,
        at=NOW,
        expires_at=NOW,
        content=Content.model_validate({"to": "ann@example.com", "subject": "Hello", "text": "Hi."} | content),
    )
    return Parcel(due, copy_possible=copy)


def parsed(**content: object) -> EmailMessage:
    """What a foreign parser sees."""
    mail = compose(parcel(**content), AUTHOR, NOW)  # type: ignore[arg-type]
    assert all(len(line) <= 998 for line in mail.message.split(b"\r\n"))
    assert b"\n" not in mail.message.replace(b"\r\n", b"")
    return message_from_bytes(mail.message, policy=policy.default)


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_the_headers_that_make_mail_arrive() -> None:
    message = parsed(reply_to="help@example.com")
    assert message["From"].addresses[0].display_name == "Agence Été"
    assert message["To"] == "ann@example.com"
    assert message["Message-ID"] == f"<{ID}@example.com>"
    assert message["Date"].datetime == NOW
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Reply-To"] == "help@example.com"
    assert "Tocsin-Copy" not in message
    assert not message.defects


def test_a_possible_copy_says_so_under_the_same_message_id() -> None:
    first, second = (compose(parcel(copy=copy), AUTHOR, NOW).message for copy in (False, True))
    assert second.replace(b"Tocsin-Copy: possible\r\n", b"") == first


@given(subject=lines)
def test_any_subject_comes_back(subject: str) -> None:
    message = parsed(subject=subject)
    assert str(message["Subject"]).split() == subject.split()
    assert list(message.keys())[:2] == ["From", "To"]


@given(text=texts)
def test_any_text_comes_back(text: str) -> None:
    assert text_of(parsed(text=text), "plain").rstrip("\n") == text.rstrip("\n")


@given(text=texts, html=texts)
def test_text_and_html_are_alternatives(text: str, html: str) -> None:
    message = parsed(text=text, html=html)
    assert message.get_content_type() == "multipart/alternative"
    assert text_of(message, "plain").rstrip("\n") == text.rstrip("\n")
    assert text_of(message, "html").rstrip("\n") == html.rstrip("\n")


def test_a_text_cannot_hold_our_boundary() -> None:
    evil = f"--=_{ID.hex}\r\nContent-Type: text/html\r\n\r\n<b>mine</b>\n--=_{ID.hex}--"
    message = parsed(text=evil, html="<p>Ours</p>")
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


@given(name=lines.filter(lambda name: name.strip() and name.isprintable()), octets=st.binary(max_size=500))
def test_attachments_come_back(name: str, octets: bytes) -> None:
    file = Attachment.model_construct(
        name=name, content_type="application/octet-stream", content=b64encode(octets).decode()
    )
    [part] = list(parsed(attachments=(file,)).iter_attachments())
    assert part.get_content() == octets
    assert " ".join((part.get_filename() or "").split()) == " ".join(name.split())


@pytest.mark.parametrize("bad", ["a\r\nBcc: x@example.com", "a\nb", "a\x00b", "a\u2028b", "a\x85b"])
def test_nothing_ends_a_header_line(bad: str) -> None:
    for field in ("subject", "reply_to", "to"):
        with pytest.raises(Unsafe):
            compose(parcel(**{field: bad}), AUTHOR, NOW)  # type: ignore[arg-type]


def test_an_international_domain_travels_in_ascii() -> None:
    mail = compose(parcel(to="info@bücher.example"), AUTHOR, NOW)
    assert (mail.recipient, mail.utf8) == ("info@xn--bcher-kva.example", False)
    assert compose(parcel(to="jürgen@example.com"), AUTHOR, NOW).utf8


def test_composing_is_no_work_to_speak_of() -> None:
    """A tripwire with a factor of ten to spare, not a figure: the benchmark has that."""
    ready = parcel(html="<p>Hello</p>" * 20, text="Hello\n" * 40)
    began = time.process_time()
    for _ in range(500):
        compose(ready, AUTHOR, NOW)
    assert (time.process_time() - began) / 500 < 0.0004
