"""What mail servers send back, in the forms of postfix, sendmail, exim, Exchange, Domino, qmail, Gmail, Yahoo and
Amazon SES; and what is none."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Receipt
from contracts.suppression import Cause
from kit.delivery.called_back import CalledBack
from kit.delivery.rules import Result
from services.email_sender.rules.coming_back import WORDS, meant_by
from services.email_sender.rules.reading_reports import LOOKED_AT, Tangled, is_automatic, read
from services.email_sender.rules.report import Kind, Report

SAMPLES = Path(__file__).with_name("returned")


def sample(name: str, returns_to: str = "bounces+token@example.org") -> bytes:
    """A mail that came back to this address, with the line ends of the wire."""
    text = (SAMPLES / f"{name}.eml").read_text(encoding="utf-8").replace("bounces+token@example.org", returns_to)
    return text.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        (
            "postfix",
            Kind.GONE,
            "550 5.1.1 <address>: Recipient address rejected: User unknown in virtual mailbox table",
        ),
        ("postfix_full", Kind.FAILED, "552 5.2.2 <address>: Quota exceeded (mailbox for user is full)"),
        ("postfix_given_up", Kind.FAILED, "450 4.4.1 connect to mail.example.com[192.0.2.25]:25: Connection timed out"),
        ("postfix_delayed", Kind.DELAYED, "450 4.4.1 connect to mail.example.com[192.0.2.25]:25: Connection timed out"),
        ("postfix_delivered", Kind.DELIVERED, "250 Ok: queued as 4Q2v1K6Mk8z9sTd"),
        ("sendmail", Kind.GONE, "550 5.1.1 <address>... User unknown"),
        ("exim", Kind.GONE, "550 No such user here"),
        ("exim_content", Kind.FAILED, "550 Message rejected because of its content"),
        (
            "exim_old",
            Kind.GONE,
            "550 5.1.1 <address>: Recipient address rejected: User unknown in local recipient table",
        ),
        (
            "exchange",
            Kind.GONE,
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient <address> not found by SMTP address lookup",
        ),
        (
            "exchange_restricted",
            Kind.FAILED,
            "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction "
            "check failed because the sender was not authenticated when sending to this group",
        ),
        (
            "qmail",
            Kind.GONE,
            "550 5.1.1 <address>: Recipient address rejected: User unknown Giving up on 192.0.2.25.",
        ),
        ("qmail_local", Kind.GONE, "550 5.1.1 <address>: Sorry, no mailbox here by that name. (#5.1.1)"),
        ("qmail_given_up", Kind.FAILED, None),
        (
            "gmail",
            Kind.GONE,
            "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the "
            "recipient's email address for typos or unnecessary spaces. For more information, go to "
            "https://support.google.com/mail/?p=NoSuchUser a640c23a62f3a - gsmtp",
        ),
        ("international", Kind.GONE, '550 5.1.1 unknown user: "zoé"'),
        ("ses", Kind.GONE, "550 5.1.1 The email account that you tried to reach does not exist."),
        (
            "ses_given_up",
            Kind.FAILED,
            "550 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.0 Unable to lookup DNS for "
            "example.com>",
        ),
        ("domino", Kind.GONE, "550 5.1.1 User gone (<address>) not listed in Domino Directory"),
        (
            "yahoo",
            Kind.GONE,
            "554 5.1.1 delivery error: dd This user doesn't have a yahoo.example account (<address>) [0]",
        ),
        ("exchange_online", Kind.FAILED, None),
    ],
)
def test_what_a_server_reports(name: str, kind: Kind, told: str | None) -> None:
    report = read(sample(name))
    assert report is not None and report.kind is kind
    assert report.returns_to is None and "@" not in report.told
    assert told is None or report.told == told


@pytest.mark.parametrize(
    ("name", "about"),
    [(name, "gone@example.com") for name in ("postfix", "sendmail", "exim", "exim_old", "qmail", "qmail_local", "ses")]
    + [(name, "gone@example.net") for name in ("postfix_forwarded", "sendmail_forwarded", "exim_forwarded")]
    + [("exchange", "gone@contoso.example"), ("gmail", "gone@gmail.example"), ("international", "zoé@exämple.com")]
    + [("domino", "gone@notes.example"), ("yahoo", "gone@yahoo.example")],
)
def test_whom_a_server_reports_about(name: str, about: str) -> None:
    report = read(sample(name))
    assert report is not None and report.about == {about}


@pytest.mark.parametrize("name", ["complaint", "complaint_without_fields"])
def test_a_complaint_names_where_the_mail_was_to_come_back_to(name: str) -> None:
    assert read(sample(name)) == Report(Kind.COMPLAINT, "complaint (abuse)", "bounces+token@example.org")


@pytest.mark.parametrize(
    ("name", "automatic"),
    [("vacation", True), ("human", False), ("complaint_taken_back", False), ("read_receipt", False)],
)
def test_what_reports_nothing(name: str, automatic: bool) -> None:
    assert read(sample(name)) is None and is_automatic(sample(name)) is automatic


def test_the_mail_that_is_returned_along_reports_nothing() -> None:
    """Somebody forwards a report to somebody, and that comes back: it is not about the mail inside."""
    inside = sample("postfix_delayed").replace(b"How are you?", sample("gmail"))
    report = read(inside)
    assert report is not None and report.kind is Kind.DELAYED


def test_of_several_recipients_the_mildest_word_counts() -> None:
    """An alias with two mailboxes: one of them has it."""
    both = sample("sendmail").replace(
        b"Final-Recipient:",
        b"Final-Recipient: rfc822; b@example.com\r\nAction: delivered\r\nStatus: 2.1.5\r\n\r\nFinal-Recipient:",
        1,
    )
    report = read(both)
    assert report is not None and report.kind is Kind.DELIVERED


@pytest.mark.parametrize(
    ("status", "diagnostic", "kind"),
    [
        ("5.1.1", "", Kind.GONE),
        ("5.1.2", "X-Unix; 68", Kind.GONE),
        ("5.2.1", "smtp; 550 5.2.1 disabled", Kind.GONE),
        ("5.0.0", "smtp; 550 5.1.1 who?", Kind.GONE),
        ("5.0.0", "smtp; 550 User unknown", Kind.GONE),
        ("5.0.0", "smtp; 550 go away", Kind.FAILED),
        ("5.1.1", "smtp; 554 5.7.1 spam", Kind.GONE),
        ("5.7.1", "smtp; 550 5.1.1 who?", Kind.FAILED),
        ("5.2.2", "smtp; 452 4.2.2 full", Kind.FAILED),
        ("5.4.7", "", Kind.FAILED),
        ("4.4.7", "smtp; 451 busy", Kind.FAILED),
        ("5.7.26", "smtp; 550-5.7.26 unauthenticated rate", Kind.FAILED),
        ("nonsense", "nonsense", Kind.FAILED),
        ("", "", Kind.FAILED),
    ],
)
def test_who_is_gone_is_said_by_the_table_of_sending(status: str, diagnostic: str, kind: Kind) -> None:
    source = (
        "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; x\n\nAction: failed\nStatus: {status}\nDiagnostic-Code: {diagnostic}\n\n--b--\n"
    )
    report = read(source.encode())
    assert report is not None and report.kind is kind


@given(st.binary(max_size=3000))
def test_nonsense_stops_nobody(source: bytes) -> None:
    head = b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    for one in (source, head + source, head + source.replace(b"\n", b"\n\n")):
        read(one)
        is_automatic(one)


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        (Kind.DELIVERED, CalledBack(Result.DELIVERED)),
        (Kind.FAILED, CalledBack(Result.UNDELIVERED)),
        (Kind.GONE, CalledBack(Result.UNDELIVERED, Cause.HARD_BOUNCE)),
        (Kind.COMPLAINT, CalledBack(Result.DELIVERED, Cause.COMPLAINT)),
    ],
)
def test_p5_9_what_becomes_of_the_mail(kind: Kind, meant: CalledBack) -> None:
    said = {"id": uuid4(), "channel": "email", "try": 1, "provider": "returned_mail", "status": WORDS[kind]}
    receipt = Receipt.model_validate(said | {"received_at": datetime.now(UTC)})
    assert meant_by(receipt) == meant
    assert meant_by(receipt.model_copy(update={"channel": "sms"})) is None
    assert meant_by(receipt.model_copy(update={"status": "queued"})) is None


def tangled() -> bytes:
    """Anybody may send it where complaints are taken; reading it would take many seconds."""
    parts = [f'Content-Type: multipart/mixed; boundary="{n}"\r\n\r\n--{n}\r\n' for n in range(250)]
    return "".join(parts).encode() + b"a\r\n" * 400_000


def test_parts_within_parts_without_end_keep_nobody_busy() -> None:
    with pytest.raises(Tangled):
        read(tangled())
    assert not is_automatic(tangled())


def test_a_report_is_read_whatever_it_brings_along() -> None:
    known = read(sample("postfix"))
    assert known is not None and read(sample("postfix") + b"a\r\n" * LOOKED_AT) == known
