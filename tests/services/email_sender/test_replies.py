"""Every row of the class table, as mail servers word it."""

import pytest

from contracts.suppression import Cause
from kit.delivery.outcomes import Halted, Refused, Unavailable
from services.email_sender.rules.replies import Meaning, Reply, Step, meaning, outcome

T, D, R, F = Meaning.TRANSIENT, Meaning.DEFERRED, Meaning.RECIPIENT, Meaning.FULL
Q, C, M = Meaning.QUOTA, Meaning.CONFIGURATION, Meaning.MESSAGE


@pytest.mark.parametrize(
    ("step", "code", "text", "expected"),
    [
        (Step.CONNECT, 421, "4.3.2 not now", T),
        (Step.RCPT, 421, "closing", T),
        (Step.MAIL, 450, "busy", T),
        (Step.RCPT, 450, "4.2.1 greylisted", D),
        (Step.RCPT, 450, "busy mailbox", D),
        (Step.RCPT, 451, "4.7.1 greylisted, come back in 5 minutes", D),
        (Step.RCPT, 451, "4.3.0 queue file write error", T),
        (Step.RCPT, 452, "4.3.1 no space", T),
        (Step.MAIL, 450, "4.7.1 who are you?", T),
        (Step.DOT, 451, "4.7.1 greylisted late", D),
        (Step.DATA, 451, "4.3.0 try later", T),
        (Step.DOT, 452, "4.3.1 no space", T),
        (Step.RCPT, 550, "4.2.1 the enhanced code decides", D),
        (Step.RCPT, 454, "bare", T),
        (Step.RCPT, 550, "5.1.1 no such user", R),
        (Step.RCPT, 550, "5.1.2 no such domain", R),
        (Step.RCPT, 501, "5.1.3 bad syntax", R),
        (Step.RCPT, 551, "5.1.6 moved", R),
        (Step.RCPT, 556, "5.1.10 null MX", R),
        (Step.DOT, 550, "5.1.1 found out late", R),
        (Step.RCPT, 550, "no such user", R),
        (Step.RCPT, 553, "unknown recipient", R),
        (Step.RCPT, 553, "no", Meaning.REFUSED),
        (Step.RCPT, 550, "relay not permitted", Meaning.REFUSED),
        (Step.RCPT, 550, "Administrative prohibition", Meaning.REFUSED),
        (Step.RCPT, 550, "5.2.1 disabled", R),
        (Step.RCPT, 552, "5.2.2 over quota", F),
        (Step.RCPT, 452, "4.2.2 The email account that you tried to reach is over quota", F),
        (Step.RCPT, 552, "mailbox full", F),
        (Step.DOT, 552, "mailbox full", F),
        (Step.DOT, 550, "5.4.5 Daily user sending limit exceeded", Q),
        (Step.MAIL, 550, "5.7.1 our system has detected an unusual rate of mail", Q),
        (Step.RCPT, 554, "5.7.28 too many messages", Q),
        (Step.RCPT, 452, "4.5.3 too many recipients", Q),
        (Step.AUTH, 454, "4.7.0 too many login attempts", Q),
        (Step.AUTH, 535, "5.7.8 Username and Password not accepted", C),
        (Step.AUTH, 535, "bare", C),
        (Step.AUTH, 534, "5.7.9 application-specific password required", C),
        (Step.MAIL, 530, "5.7.0 must issue STARTTLS first", C),
        (Step.MAIL, 530, "authentication required", C),
        (Step.CONNECT, 554, "no service for you", C),
        (Step.RCPT, 550, "5.7.1 relaying denied", M),
        (Step.DOT, 550, "5.7.1 looks like spam", M),
        (Step.DATA, 554, "no valid recipients", M),
        (Step.DOT, 554, "rejected", M),
        (Step.MAIL, 552, "5.3.4 too large", M),
        (Step.DOT, 552, "message exceeds the maximum", M),
        (Step.DOT, 550, "bare, but not about a recipient", M),
        (Step.RCPT, 550, "5.7.26 unauthenticated mail", M),
        (Step.MAIL, 555, "unknown parameter", M),
    ],
)
def test_the_meaning_of_an_answer(step: Step, code: int, text: str, expected: Meaning) -> None:
    assert meaning(step, Reply.of(code, text)) is expected


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        ("4.2.1 later", 450, Unavailable("recipient_deferred", "450 4.2.1 later")),
        ("5.2.2 full", 552, Unavailable("mailbox_full", "552 5.2.2 full", patient=True)),
        ("5.1.1 who?", 550, Refused("recipient_refused", "550 5.1.1 who?", suppress=Cause.HARD_BOUNCE)),
        ("5.7.1 no", 550, Refused("message_refused", "550 5.7.1 no")),
        ("5.4.5 limit", 550, Halted("provider_quota", "550 5.4.5 limit")),
        ("5.7.8 no", 535, Halted("provider_configuration", "535 5.7.8 no", alarming=True)),
    ],
)
def test_what_is_done_about_it(text: str, code: int, expected: object) -> None:
    assert outcome(Step.RCPT, Reply.of(code, text)) == expected
