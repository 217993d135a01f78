"""Trying out a relay: each thing that can be wrong is named, and nothing is ever sent."""

from __future__ import annotations

import ssl

import pytest

from deploy.local.catcher import Catcher
from deploy.local.ports import free_port
from kit.delivery.trial import Trial
from tests.services.email_sender.mail_server import SILENCE, Scripted, scripted
from tests.services.email_sender.test_smtp import smtp
from tests.waiting import PATIENCE

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
PRIVATE = ("STARTTLS", "AUTH PLAIN")


async def trial_of(port: int, seconds: float = PATIENCE, **options: object) -> Trial:
    async with smtp(port, **options) as provider:
        return await provider.tried(seconds)


def said(trial: Trial) -> list[tuple[str, bool]]:
    return [(check.name, check.ok) for check in trial.checks]


async def test_all_is_well_at_a_real_server() -> None:
    async with Catcher() as catcher:
        trial = await trial_of(catcher.port)
        assert catcher.mails() == []
    assert trial.ok, trial
    assert said(trial) == [("connection", True), ("tls", True), ("login", True), ("sender", True)]
    assert "none, as the settings say" in trial.detail and "noreply@example.com" in trial.detail


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_all_is_well_in_private(security: str, certificate: Contexts) -> None:
    theirs, ours = certificate
    async with scripted(offers=PRIVATE, tls=theirs, tls_from_the_start=security == "tls") as script:
        trial = await trial_of(script.port, security=security, tls=ours, username="me")
    assert trial.ok, trial
    assert "TLSv1.3" in trial.detail and "as me" in trial.detail


async def test_nobody_listens() -> None:
    trial = await trial_of(free_port())
    assert said(trial) == [("connection", False)] and not trial.ok


async def test_somebody_listens_and_says_nothing() -> None:
    async with scripted({"BANNER": SILENCE}) as script:
        trial = await trial_of(script.port, seconds=0.3)
    assert said(trial) == [("connection", False)] and "no answer within 0.3 s" in trial.detail


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_certificate_of_nobody_we_know(security: str, certificate: Contexts) -> None:
    async with scripted(offers=PRIVATE, tls=certificate[0], tls_from_the_start=security == "tls") as script:
        trial = await trial_of(script.port, security=security)
    assert said(trial)[-1] == ("tls", False) and "ertificate" in trial.detail, trial


async def test_no_privacy_where_it_was_asked_for() -> None:
    async with scripted(offers=("AUTH PLAIN",)) as script:
        trial = await trial_of(script.port, security="starttls", username="me")
    assert said(trial) == [("connection", True), ("tls", False)]
    assert not any(line.startswith("AUTH") for line in script.said)


@pytest.mark.parametrize("answer", ["535 5.7.8 bad password", "534 5.7.9 app password"])
async def test_a_wrong_password(answer: str) -> None:
    async with scripted({"AUTH": answer}) as script:
        trial = await trial_of(script.port, username="me")
    assert said(trial) == [("connection", True), ("tls", True), ("login", False)] and answer in trial.detail


@pytest.mark.parametrize(
    ("answers", "ok"),
    [
        ({"MAIL": "553 5.7.1 sender not owned by user"}, False),
        ({"RCPT": "554 5.7.1 relay access denied"}, False),
        ({"RCPT": "550 5.1.1 no such user"}, True),
        ({"RCPT": "450 4.2.1 later"}, True),
    ],
    ids=["at MAIL", "at RCPT", "his own mailbox is none", "his own mailbox is busy"],
)
async def test_whether_we_may_send_as_whom_we_say(answers: dict[str, str], ok: bool) -> None:
    async with scripted(answers) as script:
        trial = await trial_of(script.port)
    assert trial.ok is ok and said(trial)[-1] == ("sender", ok)
    assert nothing_was_sent(script)


def nothing_was_sent(script: Scripted) -> bool:
    return not any(line.split(" ")[0] in ("DATA", "BDAT") for line in script.said)
