"""Mail in private: TLS from the first byte or by STARTTLS, a certificate that is looked at, Gmail's password."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64decode
from pathlib import Path

import pytest
import uvloop

from kit.delivery.outcomes import Accepted, Halted, Unavailable
from kit.settings import Settings, load
from services.email_sender.app import provider as made
from tests.services.email_sender.conftest import CERTIFICATE
from tests.services.email_sender.mail_server import scripted
from tests.services.email_sender.relayed import parcel, said_by, smtp

# ------------------------------------------------------------------------------------------------------------- TLS


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_in_private(security: str, certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    theirs, ours = certificate
    offers = ("PIPELINING", "STARTTLS", "AUTH PLAIN")
    async with scripted(offers=offers, tls=theirs, tls_from_the_start=security == "tls") as script:
        async with smtp(script.port, security=security, tls=ours, username="me") as provider:
            for _ in range(3):
                assert isinstance(await provider.hand_over(parcel()), Accepted)
        assert script.connections == 1


def settings(folder: Path, **more: str) -> Settings:
    return load(folder, {"DATABASE_URL": "postgresql://nobody@127.0.0.1/none", **more})


async def test_gmail_by_starttls_and_an_app_password(
    certificate: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address and its password as Google shows it are all that is said; whom it trusts are the system's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "notifications.yml").write_text("notifications: {email: {provider: gmail}}")
    [told] = settings(tmp_path, SMTP_USERNAME="ann@gmail.com", SMTP_PASSWORD="abcd efgh ijkl mnop").email_providers
    assert (told.type, told.host, told.port, told.security) == ("gmail", "smtp.gmail.com", 587, "starttls")
    offers = ("PIPELINING", "STARTTLS", "AUTH PLAIN")
    async with scripted(offers=offers, tls=certificate[0]) as script:
        provider = made(told.model_copy(update={"host": "127.0.0.1", "port": script.port}), {}, {})
        assert isinstance(await provider.hand_over(parcel()), Accepted)
        await provider.close()
    [login] = [line for line in script.said if line.startswith("AUTH PLAIN ")]
    assert b64decode(login.split(" ")[2]) == b"\0ann@gmail.com\0abcdefghijklmnop"
    assert script.said.index("STARTTLS") < script.said.index(login)
    assert "MAIL FROM:<ann@gmail.com>" in script.said


async def test_gmail_over_its_daily_limit_and_without_an_app_password() -> None:
    """550 5.4.5 and 534 5.7.9: the provider rests, and the mail is none the worse."""
    limit = "550-5.4.5 Daily user sending limit exceeded.\r\n550 5.4.5 For more information see Google"
    async with scripted({"DOT": limit}) as script:
        assert isinstance(await said_by(script), Halted)
    asks = "534-5.7.9 Application-specific password required.\r\n534 5.7.9 Learn more"
    async with scripted({"AUTH": asks}) as script:
        said = await said_by(script, username="me")
    assert isinstance(said, Halted) and said.alarming and "Application-specific" in (said.detail or "")


async def test_a_certificate_of_nobody_we_know(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with scripted(tls=certificate[0], tls_from_the_start=True) as script:
        said = await said_by(script, security="tls")
    assert isinstance(said, Unavailable)


async def test_never_in_the_open_where_privacy_was_asked_for() -> None:
    """A relay that does not offer STARTTLS stops the lane; the mail is kept."""
    async with scripted(offers=()) as script:
        said = await said_by(script, security="starttls")
    assert isinstance(said, Halted) and said.alarming
    assert not any(line.startswith("MAIL") for line in script.said)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_the_same_on_the_loop_that_services_run_on(
    security: str, certificate: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_in_private(security, certificate))
