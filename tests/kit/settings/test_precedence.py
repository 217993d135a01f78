"""Who wins where a setting is said in several places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.settings import Settings, SettingsError, load
from kit.settings.names import NAMES, SECRETS
from tests.kit.settings.support import ROOT, SECRET, at, installed, problems


@pytest.mark.parametrize(
    ("config", "dotenv", "environ", "expected"),
    [
        ("", "", {}, 8000),
        ("gateway: {port: 1}", "", {}, 1),
        ("gateway: {port: 1}", "GATEWAY_PORT=2", {}, 2),
        ("gateway: {port: 1}", "GATEWAY_PORT=2", {"GATEWAY_PORT": "3"}, 3),
        ("gateway: {port: 1}", "", {"GATEWAY_PORT": "3"}, 3),
        ("GATEWAY_PORT: 4", "", {}, 4),
        ("GATEWAY_PORT: 4", "GATEWAY_PORT=2", {}, 2),
        ("", "GATEWAY_PORT=", {}, 8000),
        ("gateway: {port: 1}", "GATEWAY_PORT=2", {"GATEWAY_PORT": ""}, 2),
        ("gateway: {port: }", "", {}, 8000),
    ],
)
def test_environment_before_dotenv_before_yaml_before_default(
    tmp_path: Path, config: str, dotenv: str, environ: dict[str, str], expected: int
) -> None:
    assert installed(tmp_path, config=config, dotenv=dotenv, environ=environ).gateway.port == expected


@pytest.mark.parametrize("where", ["environ", "dotenv", "config"])
@pytest.mark.parametrize(
    ("name", "value", "path", "expected"),
    [
        ("SMTP_HOST", "mail.example.org", "smtp.host", "mail.example.org"),
        ("SMTP_PORT", "2587", "smtp.port", 2587),
        ("SMTP_USERNAME", "me", "smtp.username", "me"),
        ("SMTP_PASSWORD", SECRET, "smtp.password", SECRET),
        ("SMTP_FROM_EMAIL", "me@example.org", "smtp.from_email", "me@example.org"),
        ("SMTP_SECURITY", "TLS", "smtp.security", "tls"),
        ("SMTP_BOUNCE_ADDRESS", "b@example.org", "smtp.bounce_address", "b@example.org"),
        ("SMS_PROVIDER", "aws_sns", "sms.provider", "aws_sns"),
        ("TWILIO_ACCOUNT_SID", "AC1", "sms.twilio_account_sid", "AC1"),
        ("TWILIO_AUTH_TOKEN", SECRET, "sms.twilio_auth_token", SECRET),
        ("TWILIO_FROM", "+33700000000", "sms.twilio_from", "+33700000000"),
        ("TWILIO_API_BASE", "http://127.0.0.1:9/", "sms.twilio_api_base", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT_URL_SNS", "http://127.0.0.1:9", "sms.aws_endpoint_url_sns", "http://127.0.0.1:9"),
        ("AWS_REGION", "eu-west-3", "sms.aws_region", "eu-west-3"),
        ("NOTIFICATION_LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("NOTIFICATION_SCHEDULER_INTERVAL", "5", "notifications.scheduler.check_interval_seconds", 5.0),
        ("KAFKA_BOOTSTRAP_SERVERS", "k1:9092, k2:9092", "kafka.bootstrap_servers", "k1:9092,k2:9092"),
        ("KAFKA_TOPIC_PREFIX", "x.", "kafka.topic_prefix", "x."),
        ("KAFKA_PARTITIONS", "3", "kafka.partitions", 3),
        ("KAFKA_REPLICATION", "3", "kafka.replication", 3),
        ("KAFKA_SESSION_TIMEOUT_MS", "9000", "kafka.session_timeout_ms", 9000),
        ("KAFKA_SECURITY_PROTOCOL", "ssl", "kafka.security_protocol", "SSL"),
        ("KAFKA_SASL_MECHANISM", "scram-sha-256", "kafka.sasl_mechanism", "SCRAM-SHA-256"),
        ("DATABASE_URL", "postgresql://u:p@h/d", "database_url", "postgresql://u:p@h/d"),
        ("JWT_SECRET", SECRET, "jwt.secret", SECRET),
        ("JWT_JWKS_URL", "https://id.example.org/keys", "jwt.jwks_url", "https://id.example.org/keys"),
        ("JWT_ISSUER", "them", "jwt.issuer", "them"),
        ("JWT_AUDIENCE", "us", "jwt.audience", "us"),
        ("GATEWAY_HOST", "0.0.0.0", "gateway.host", "0.0.0.0"),
        ("GATEWAY_PORT", "80", "gateway.port", 80),
        ("GATEWAY_ADDRESS_ANYONE", "service, admin", "gateway.address_anyone", ("service", "admin")),
        ("GATEWAY_ORIGINS", "https://a.org, https://b.org/", "gateway.origins", ("https://a.org", "https://b.org")),
        ("TOCSIN_PUBLIC_URL", "https://n.example.org/", "public_url", "https://n.example.org"),
        ("TOCSIN_LINK_SECRET", SECRET, "link_secret", SECRET),
        ("TOCSIN_HEALTH_HOST", "0.0.0.0", "ports.host", "0.0.0.0"),
        ("TOCSIN_INTAKE_PORT", "1", "ports.intake", 1),
        ("TOCSIN_SCHEDULER_PORT", "2", "ports.scheduler", 2),
        ("TOCSIN_EMAIL_SENDER_PORT", "3", "ports.email_sender", 3),
        ("TOCSIN_SMS_SENDER_PORT", "4", "ports.sms_sender", 4),
        ("TOCSIN_GATEWAY_HEALTH_PORT", "9", "ports.gateway", 9),
        ("TOCSIN_KAFKA_PORT", "5", "ports.kafka", 5),
        ("TOCSIN_MAIL_SMTP_PORT", "6", "ports.mail_smtp", 6),
        ("TOCSIN_MAIL_PAGE_PORT", "7", "ports.mail_page", 7),
        ("TOCSIN_RETURNED_MAIL_PORT", "8", "ports.returned_mail", 8),
    ],
)
def test_every_name_works_in_environment_dotenv_and_yaml(
    tmp_path: Path, where: str, name: str, value: str, path: str, expected: object
) -> None:
    relay = {"SMTP_HOST": "mail.example.org", "SMTP_FROM_EMAIL": "x@example.org"} if name.startswith("SMTP_") else {}
    broker = {"KAFKA_BOOTSTRAP_SERVERS": "k:9093"} if name == "KAFKA_SECURITY_PROTOCOL" else {}
    values = relay | broker | {name: value}
    texts = {
        "environ": {"environ": values},
        "dotenv": {"dotenv": "".join(f"{key}='{one}'\n" for key, one in values.items())},
        "config": {"config": yaml.safe_dump(values)},
    }
    assert at(installed(tmp_path, **texts[where]), path) == expected  # type: ignore[arg-type]


def test_every_name_leads_to_a_place_in_the_tree() -> None:
    for name, place in NAMES.items():
        model: Any = Settings
        of_a_file = name.removesuffix("_FILE") in SECRETS
        for key in (*place[:-1], place[-1].removesuffix("_file")) if of_a_file else place:
            by_key = {field.alias or own: field for own, field in model.model_fields.items()}
            assert key in by_key, name
            model = by_key[key].annotation


def test_the_example_files_hold_the_defaults_and_every_name(tmp_path: Path) -> None:
    """`cp .env.notifications.example .env` and the committed YAML change nothing of what is in force without them."""
    example = (ROOT / ".env.notifications.example").read_text(encoding="utf-8")
    config = (ROOT / "config/notifications.yml").read_text(encoding="utf-8")
    assert installed(tmp_path, config=config, dotenv=example) == installed(tmp_path)
    named = {line.lstrip("#").partition("=")[0] for line in example.splitlines() if "=" in line}
    assert NAMES.keys() <= named


def test_numbers_that_yaml_would_misread_stay_as_written(tmp_path: Path) -> None:
    settings = installed(
        tmp_path, config="TWILIO_FROM: +33612345678\nnotifications: {hours: {sms: {from: 10:30, to: 24:00}}}"
    )
    assert settings.twilio.sender == "+33612345678"
    assert settings.notifications.hours["sms"].start == "10:30"
    assert settings.notifications.hours["sms"].end == "24:00"


def test_cleanup_may_stand_at_the_top_or_below_notifications_but_not_in_both(tmp_path: Path) -> None:
    assert installed(tmp_path, config="cleanup: {delete_sent_after_days: 3}").cleanup.delete_sent_after_days == 3
    below = installed(tmp_path, config="notifications: {cleanup: {delete_sent_after_days: 4}}")
    assert below.cleanup.delete_sent_after_days == 4
    both = problems(tmp_path, config="cleanup: {enabled: true}\nnotifications:\n  cleanup: {enabled: false}")
    assert "it is also below notifications" in both[0] and "line 1" in both[0]


def test_another_file_may_be_named_and_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "other.yml").write_text("gateway: {port: 7}")
    assert load(tmp_path, {"TOCSIN_CONFIG": "other.yml"}).gateway.port == 7
    with pytest.raises(SettingsError, match=r"TOCSIN_CONFIG names gone\.yml"):
        load(tmp_path, {"TOCSIN_CONFIG": "gone.yml"})
