"""Whatever the texts hold, Python's own mail parser reads back what was meant, and no header more."""

import time
from base64 import b64encode
from collections.abc import Callable
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
from kit.unsubscribing import Unsubscribing
from services.email_sender.composing.cleaning import safe, takes_long
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


def parsed(author: Author = AUTHOR, **content: object) -> EmailMessage:
    """What a foreign parser sees."""
    mail = compose(parcel(**content), author, NOW)  # type: ignore[arg-type]
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


@given(name=lines.filter(str.strip), octets=st.binary(max_size=500))
def test_attachments_come_back(name: str, octets: bytes) -> None:
    file = Attachment.model_construct(
        name=name, content_type="application/octet-stream", content=b64encode(octets).decode()
    )
    [part] = list(parsed(attachments=(file,)).iter_attachments())
    assert part.get_content() == octets
    assert " ".join((part.get_filename() or "").split()) == " ".join(name.split())


BREAKS = ["\r\nBcc: x@example.com", "\nb", "\rb", "\x00b", "\x0bb", "\u2028b", "\u2029b", "\x85b"]
FILE = {"name": "a.txt", "content_type": "text/plain", "content": "AAAA"}
FIELDS: dict[str, Callable[[str], dict[str, object]]] = {
    "subject": lambda bad: {"subject": f"a{bad}"},
    "reply_to": lambda bad: {"reply_to": f"a@example.com{bad}"},
    "to": lambda bad: {"to": f"a@example.com{bad}"},
    "unsubscribe": lambda bad: {"unsubscribe": f"https://example.com/{bad}"},
    "name": lambda bad: {"attachments": (Attachment.model_construct(**FILE | {"name": f"a{bad}"}),)},
    "content_type": lambda bad: {"attachments": (Attachment.model_construct(**FILE | {"content_type": f"a/b{bad}"}),)},
}


@pytest.mark.parametrize("bad", BREAKS)
@pytest.mark.parametrize("field", FIELDS)
def test_nothing_ends_a_header_line(field: str, bad: str) -> None:
    """Of every field that a header is made of, though all were checked when they came."""
    due = parcel().due
    content = parcel().content.model_copy(update=FIELDS[field](bad))
    with pytest.raises(Unsafe):
        compose(Parcel(due.model_copy(update={"content": content})), AUTHOR, NOW)


@pytest.mark.parametrize("bad", BREAKS)
def test_nor_does_a_setting(bad: str) -> None:
    for text, reply_to in ((f"a@example.com{bad}", None), ("a@example.com", f"b@example.com{bad}")):
        with pytest.raises(Unsafe):
            Author.of(text, reply_to)
    with pytest.raises(Unsafe):
        Author.of(f"Name{bad} <a@example.com>")


# ------------------------------------------------------------------------------------------------ whose mail it is


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("noreply@example.com", ""),
        ("Acme <noreply@example.com>", "Acme"),
        ('"Acme, Inc. (Paris)" <noreply@example.com>', "Acme, Inc. (Paris)"),
        ("Acme, Inc. (Paris) <noreply@example.com>", "Acme, Inc. (Paris)"),
        ('Acme "the best" <noreply@example.com>', 'Acme "the best"'),
        ("Société Générale d’Été <noreply@example.com>", "Société Générale d’Été"),
        (f"{'Very ' * 20}long <noreply@example.com>", f"{'Very ' * 20}long"),
        ("消費者 🎄 <noreply@example.com>", "消費者 🎄"),
    ],
)
def test_any_name_stands_before_the_address(text: str, name: str) -> None:
    [found] = parsed(Author.of(text))["From"].addresses
    # Python's parser puts a space too many between two encoded words of a name.
    assert (found.display_name.split(), found.addr_spec) == (name.split(), "noreply@example.com")


@pytest.mark.parametrize("text", ["", "nobody", "a@example.com, b@example.com", "a@b@c", "A <a@b>, B <b@c>"])
def test_what_is_not_one_address_is_no_author(text: str) -> None:
    with pytest.raises(Unsafe):
        Author.of(text)


def test_answers_go_where_the_mail_says_else_where_its_tenant_does() -> None:
    author = Author.of("noreply@example.com", "help@example.com")
    assert parsed(author)["Reply-To"] == "help@example.com"
    assert parsed(author, reply_to="desk@example.com")["Reply-To"] == "desk@example.com"
    assert parsed()["Reply-To"] is None


# ------------------------------------------------------------------------------------------------ how it is stopped


def test_one_click_stops_it() -> None:
    """RFC 8058, 3.1. The link is not folded, however long it is: mail programs do not put it together again."""
    link = str(Unsubscribing("https://n.example.org", "s" * 32, []).link("ü" * 64, "u" * 64, "c" * 64))
    assert len(link) > 300
    source = compose(parcel(unsubscribe=link), AUTHOR, NOW).message
    assert f"\r\nList-Unsubscribe: <{link}>\r\n".encode() in source
    message = message_from_bytes(source, policy=policy.default)
    assert message["List-Unsubscribe"] == f"<{link}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_what_cannot_be_stopped_says_nothing_of_it() -> None:
    assert not [name for name in parsed() if name.startswith("List-")]


# ------------------------------------------------------------------------------------------------ HTML


def test_html_that_somebody_wrote_is_cleaned_and_has_a_text() -> None:
    """The caller's own text is nobody else's to write."""
    dirty = "<p onclick='x()'>Hello <b>you</b><script>x()</script></p>"
    assert safe(parcel(html=dirty, text=None, raw=True).content) == ("Hello you\n", "<p>Hello <b>you</b></p>")
    assert safe(parcel(html=dirty, text="Hi.", raw=True).content)[0] == "Hi."
    sent = parsed(html=dirty, text=None, raw=True).as_string()
    assert "<p>Hello <b>you</b></p>" in sent and "x()" not in sent


def test_html_of_a_template_was_cleaned_when_it_was_filled_in() -> None:
    assert safe(parcel(html="<p>", text="t").content) == ("t", "<p>")


def test_html_that_would_take_for_ever_is_refused() -> None:
    with pytest.raises(Unsafe, match="html has more than 100 elements"):
        compose(parcel(html="<b>" * 101, raw=True), AUTHOR, NOW)


def test_what_takes_long_is_done_beside_the_loop() -> None:
    for content, long in (
        ({"html": "<p>a</p>", "raw": True}, False),
        ({"html": "<p>a</p>", "raw": True, "text": None}, True),
        ({"html": "<p>a</p>" * 2000, "raw": True}, True),
        ({"html": "<p>a</p>" * 2000}, False),
        ({}, False),
    ):
        assert takes_long(parcel(**content).content) is long  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ calendars


INVITATION = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:Été\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
CALENDAR = Attachment(
    name="rendez-vous été.ics",
    content_type="text/calendar; method=REQUEST",
    content=b64encode(INVITATION.encode()).decode(),
)


def test_an_invitation_is_what_the_mail_says_and_a_file_beside_it() -> None:
    """RFC 6047, 2.4: as an alternative with its method mail programs offer to accept it."""
    message = parsed(html="<p>Come</p>", attachments=(CALENDAR,))
    readable, file = message.iter_parts()
    assert [part.get_content_type() for part in readable.iter_parts()] == ["text/plain", "text/html", "text/calendar"]
    *_, invitation = readable.iter_parts()
    assert dict(invitation["Content-Type"].params) == {"method": "REQUEST", "charset": "utf-8"}
    assert invitation.get_content().replace("\r\n", "\n") == INVITATION.replace("\r\n", "\n")
    assert (file.get_content_type(), file.get_filename()) == ("text/calendar", "rendez-vous été.ics")
    assert file["Content-Type"].params["method"] == "REQUEST"


def test_an_invitation_beside_a_text_alone() -> None:
    readable, _ = parsed(attachments=(CALENDAR,)).iter_parts()
    assert [part.get_content_type() for part in readable.iter_parts()] == ["text/plain", "text/calendar"]


def test_a_calendar_without_a_method_is_a_file() -> None:
    file = CALENDAR.model_copy(update={"content_type": "text/calendar"})
    text, attached = parsed(attachments=(file,)).iter_parts()
    assert (text.get_content_type(), attached.get_content_type()) == ("text/plain", "text/calendar")


# ------------------------------------------------------------------------------------------------ other alphabets


def test_an_international_domain_travels_in_ascii() -> None:
    mail = compose(parcel(to="info@bücher.example"), AUTHOR, NOW)
    assert (mail.recipient, mail.utf8) == ("info@xn--bcher-kva.example", False)
    assert compose(parcel(to="info@straße.example"), AUTHOR, NOW).recipient == "info@xn--strae-oqa.example"


def test_a_mailbox_in_another_alphabet_needs_a_relay_that_knows_it() -> None:
    """RFC 6531: wherever in the headers it stands."""
    assert compose(parcel(to="jürgen@example.com"), AUTHOR, NOW).utf8
    assert compose(parcel(reply_to="jürgen@example.com"), AUTHOR, NOW).utf8
    assert compose(parcel(), Author.of("jürgen@example.com"), NOW).utf8
    assert compose(parcel(), Author.of("a@example.com", "jürgen@example.com"), NOW).utf8
    assert not compose(parcel(subject="Jürgen", text="Jürgen"), AUTHOR, NOW).utf8


def test_composing_is_no_work_to_speak_of() -> None:
    """A tripwire with a factor of ten to spare, not a figure: the benchmark has that."""
    ready = parcel(html="<p>Hello</p>" * 20, text="Hello\n" * 40)
    began = time.process_time()
    for _ in range(500):
        compose(ready, AUTHOR, NOW)
    assert (time.process_time() - began) / 500 < 0.0004
