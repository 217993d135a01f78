"""What follows from what was set, and from what was not."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit.settings import SettingsError, ensure_secrets, load, need, remember_database_url
from tests.kit.settings.support import SECRET, installed


def test_without_anything_the_embedded_servers_are_used(tmp_path: Path) -> None:
    settings = installed(tmp_path)
    assert settings.embedded == {"kafka", "postgresql", "mail"}
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert settings.kafka.session_timeout_ms == 6_000
    assert (settings.smtp.host, settings.smtp.port, settings.smtp.security) == ("127.0.0.1", 1025, "none")
    assert str(settings.state_dir) in settings.database_url
    assert settings.public_url == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("environ", "on"),
    [
        ({}, True),
        ({"GATEWAY_DEMO": "false"}, False),
        ({"GATEWAY_HOST": "0.0.0.0"}, False),
        ({"SMTP_HOST": "smtp.example.org", "SMTP_FROM_EMAIL": "a@example.org"}, False),
        ({"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}, False),
        ({"SMS_PROVIDER": "aws_sns"}, False),
        ({"JWT_JWKS_URL": "https://login.example.org/keys"}, False),
        ({"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092", "GATEWAY_DEMO": "true", "JWT_SECRET": "x" * 40}, True),
    ],
)
def test_tokens_are_given_away_only_where_nothing_can_leave_the_house(
    tmp_path: Path, environ: dict[str, str], on: bool
) -> None:
    assert load(tmp_path, environ).gateway.demo is on


def test_moved_ports_move_what_follows(tmp_path: Path) -> None:
    environ = {"TOCSIN_KAFKA_PORT": "19092", "TOCSIN_MAIL_SMTP_PORT": "11025", "GATEWAY_PORT": "18000"}
    settings = installed(tmp_path, environ=environ)
    assert settings.kafka.bootstrap_servers == "127.0.0.1:19092"
    assert settings.smtp.port == 11025
    assert settings.public_url == "http://127.0.0.1:18000"


RELAY = {"SMTP_HOST": "m.example.org", "SMTP_FROM_EMAIL": "a@example.org"}
PUBLIC, SIGNED = {"TOCSIN_PUBLIC_URL": "https://n.example.org"}, {"TOCSIN_LINK_SECRET": SECRET}


@pytest.mark.parametrize(
    ("given", "reachable", "notes"),
    [
        ({}, True, []),
        (RELAY | PUBLIC | SIGNED, True, []),
        (RELAY | SIGNED, False, ["TOCSIN_PUBLIC_URL is not set: mails carry no link to unsubscribe"]),
        (RELAY | PUBLIC, True, ["TOCSIN_LINK_SECRET is not set: mails carry no link to unsubscribe"]),
        (RELAY | SIGNED | {"TOCSIN_PUBLIC_URL": "http://127.0.0.1:8000"}, True, ["TOCSIN_PUBLIC_URL is no https"]),
    ],
    ids=["catcher", "all is said", "no address", "no secret", "no https"],
)
def test_what_keeps_links_out_of_mails_is_a_note(
    tmp_path: Path, given: dict[str, str], reachable: bool, notes: list[str]
) -> None:
    """To this machine, who reads the catcher can follow a link, and nobody else."""
    settings = installed(tmp_path, environ=given)
    assert settings.reachable is reachable
    assert len(settings.warnings) == len(notes)
    assert all(said.startswith(note) for said, note in zip(settings.warnings, notes, strict=True))


def test_the_links_are_signed_with_the_secret_of_the_installation(tmp_path: Path) -> None:
    links = installed(tmp_path, environ=PUBLIC | SIGNED).unsubscribing
    assert links and str(links.link("default", "bob", "news")).startswith("https://n.example.org/v1/unsubscribe/")
    assert links.link("default", "bob", "security") is None
    assert installed(tmp_path).unsubscribing is None


def test_tenants_have_heads_of_their_own(tmp_path: Path) -> None:
    config = "notifications: {email: {tenants: {acme: {from_email: A <a@acme.example>, reply_to: h@acme.example}}}}"
    tenants = installed(tmp_path, config=config).notifications.email.tenants
    assert (tenants["acme"].from_email, tenants["acme"].reply_to) == ("A <a@acme.example>", "h@acme.example")


def test_named_servers_are_not_embedded(tmp_path: Path) -> None:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": "k:9092", "DATABASE_URL": "postgresql://h/d", "SMTP_HOST": "localhost"}
    settings = installed(tmp_path, environ=environ)
    assert settings.embedded == set()
    assert settings.kafka.session_timeout_ms == 30_000


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"SMTP_HOST": "m.example.org"}, ("m.example.org", 587, "starttls")),
        ({"SMTP_HOST": "m.example.org", "SMTP_PORT": "465"}, ("m.example.org", 465, "tls")),
        ({"SMTP_HOST": "127.0.0.1", "SMTP_PORT": "2500"}, ("127.0.0.1", 2500, "none")),
        ({"SMTP_HOST": "localhost", "SMTP_SECURITY": "starttls"}, ("localhost", 587, "starttls")),
    ],
)
def test_a_relay_is_spoken_to_in_private_except_on_this_machine(
    tmp_path: Path, given: dict[str, str], expected: tuple[str, int, str]
) -> None:
    smtp = installed(tmp_path, environ=given | {"SMTP_FROM_EMAIL": "a@example.org"}).smtp
    assert (smtp.host, smtp.port, smtp.security) == expected


def test_gmail_needs_no_host_and_takes_the_user_as_sender(tmp_path: Path) -> None:
    environ = {"SMTP_USERNAME": "me@gmail.com", "SMTP_PASSWORD": SECRET}
    settings = installed(tmp_path, config="notifications: {email: {provider: gmail}}", environ=environ)
    assert (settings.smtp.host, settings.smtp.from_email) == ("smtp.gmail.com", "me@gmail.com")
    assert [(one.name, one.type) for one in settings.email_providers] == [("gmail", "gmail")]


def test_what_is_said_in_vain_is_a_warning(tmp_path: Path) -> None:
    settings = installed(tmp_path, environ={"SMTP_PORT": "587", "SMTP_PASSWORD": SECRET})
    assert settings.smtp.port == 1025
    assert [warning.split()[0] for warning in settings.warnings] == ["SMTP_PASSWORD", "SMTP_PORT"]
    assert SECRET not in str(settings.warnings)


def test_the_database_listens_where_it_wrote_it_down(tmp_path: Path) -> None:
    remember_database_url(tmp_path / ".tocsin", "postgresql://postgres@/postgres?host=/one")
    remember_database_url(tmp_path / ".tocsin", "postgresql://postgres@/postgres?host=/two")
    settings = installed(tmp_path)
    assert settings.database_url.endswith("host=/two")
    assert settings.embedded >= {"postgresql"}


def test_an_installation_makes_its_secrets_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / ".tocsin"
    with ThreadPoolExecutor(8) as several:
        list(several.map(ensure_secrets, [state] * 16))
    first = installed(tmp_path)
    ensure_secrets(state)
    again = installed(tmp_path)
    assert first.jwt.secret and first.link_secret and first.jwt.secret != first.link_secret
    assert (again.jwt.secret, again.link_secret) == (first.jwt.secret, first.link_secret)
    assert sorted(file.name for file in state.iterdir()) == ["jwt_secret", "link_secret"]
    assert all(stat.S_IMODE(os.stat(file).st_mode) == 0o600 for file in state.iterdir())


def test_the_generated_secret_gives_way_to_keys_at_a_url(tmp_path: Path) -> None:
    ensure_secrets(tmp_path / ".tocsin")
    settings = installed(tmp_path, environ={"JWT_JWKS_URL": "https://id.example.org/keys"})
    assert settings.jwt.secret is None


def test_who_needs_what_is_missing_says_how_to_set_it() -> None:
    assert need("there", "X") == "there"
    with pytest.raises(SettingsError, match="TOCSIN_LINK_SECRET is not set"):
        need(None, "TOCSIN_LINK_SECRET")
