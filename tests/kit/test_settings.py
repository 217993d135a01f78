"""Settings: who wins, what follows, and what people are told when something is wrong."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from contracts.status import Lane
from kit.delivery.pace.limits import paces
from kit.delivery.pace.rules import Limit
from kit.settings import (
    Settings,
    SettingsError,
    ensure_secrets,
    load,
    masked,
    missing_extras,
    need,
    remember_database_url,
)
from kit.settings.names import NAMES, SECRETS
from kit.settings.problems import distance, nearest

ROOT = Path(__file__).parents[2]
SECRET = "s3cret" * 8


def installed(root: Path, *, config: str = "", dotenv: str = "", environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of an installation with these files and this environment."""
    (root / "config").mkdir(exist_ok=True)
    (root / "config/notifications.yml").write_text(config, encoding="utf-8")
    (root / ".env").write_text(dotenv, encoding="utf-8")
    return load(root, environ or {})


def problems(root: Path, **given: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        installed(root, **given)
    return caught.value.problems


def at(settings: BaseModel, path: str) -> Any:
    value: Any = settings
    for name in path.split("."):
        value = getattr(value, name)
    return value


# --- precedence -----------------------------------------------------------------------------------------------------


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


# --- what follows ---------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("retry", "lane", "expected"),
    [
        ("{}", Lane.NORMAL, (300, 600)),
        ("{}", Lane.BULK, (300, 600)),
        ("{}", Lane.URGENT, (5, 30)),
        ("{max_attempts: 5}", Lane.URGENT, (5, 30, 120, 120)),
        ("{max_attempts: 4, retry_delay_seconds: 10}", Lane.NORMAL, (10, 20, 40)),
        ("{retry_delay_seconds: 1}", Lane.URGENT, (1, 2)),
        ("{delays: {normal: [1, 2, 3]}}", Lane.NORMAL, (1, 2)),
        ("{max_attempts: 4, delays: {normal: [7]}}", Lane.NORMAL, (7, 7, 7)),
        ("{delays: {normal: [7]}}", Lane.BULK, (300, 600)),
        ("{max_attempts: 1}", Lane.NORMAL, (300,)),
    ],
)
def test_delays_grow_and_urgent_is_never_slower(tmp_path: Path, retry: str, lane: Lane, expected: tuple[float]) -> None:
    settings = installed(tmp_path, config=f"notifications: {{email: {{retry: {retry}}}}}")
    assert settings.notifications.email.retry.policy(lane).delays == expected


@pytest.mark.parametrize(
    ("retry", "lane", "expected"),
    [("{}", Lane.URGENT, 3600), ("{}", Lane.BULK, 259_200), ("{budget_seconds: 60}", Lane.URGENT, 60)],
)
def test_attempts_have_a_budget_in_time(tmp_path: Path, retry: str, lane: Lane, expected: float) -> None:
    settings = installed(tmp_path, config=f"notifications: {{sms: {{retry: {retry}}}}}")
    policy = settings.notifications.sms.retry.policy(lane)
    assert (policy.max_attempts, policy.budget_seconds) == (3, expected)


@pytest.mark.parametrize(
    ("username", "said", "expected"),
    [
        ("me@gmail.com", None, 500),
        ("me@GoogleMail.com", None, 500),
        ("me@example.org", None, 2000),
        ("me@gmail.com", 100, 100),
    ],
)
def test_gmails_day_is_known(tmp_path: Path, username: str, said: int | None, expected: int) -> None:
    """Without a word in the settings; a word in them goes before it."""
    per_day = f", per_day: {said}" if said else ""
    one = f"{{name: g, type: gmail, username: {username}, password: {SECRET}{per_day}}}"
    settings = installed(tmp_path, config=f"notifications: {{email: {{providers: [{one}]}}}}")
    limits = paces(settings.email_providers, settings.notifications.limits)
    assert limits == {"g": [Limit("g", "day", expected)]}


def test_gmail_as_the_one_provider_has_its_day_too(tmp_path: Path) -> None:
    environ = {"SMTP_USERNAME": "me@gmail.com", "SMTP_PASSWORD": SECRET}
    config = "notifications: {email: {provider: gmail}, limits: {global: {minute: 30}}}"
    settings = installed(tmp_path, config=config, environ=environ)
    together = Limit("all together", "minute", 30, shared=True)
    assert paces(settings.email_providers, settings.notifications.limits) == {
        "gmail": [Limit("gmail", "day", 500), together]
    }
    assert paces(settings.sms_providers, settings.notifications.limits) == {"console": [together]}


def test_an_ordered_list_of_providers_goes_before_the_one(tmp_path: Path) -> None:
    config = f"""
notifications:
  email:
    providers:
      - {{name: main, type: smtp, host: m.example.org, from_email: a@example.org, per_second: 50}}
      - {{name: spare, type: gmail, username: me@gmail.com, password: {SECRET}}}
  sms:
    providers:
      - {{name: one, type: twilio, account_sid: AC1, auth_token: {SECRET}, from: "+33700000000"}}
      - {{name: two, type: aws_sns, region: eu-west-3}}
      - {{name: three, type: console}}
"""
    settings = installed(tmp_path, config=config)
    assert [one.name for one in settings.email_providers] == ["main", "spare"]
    assert settings.email_providers[0].per_second == 50
    assert [one.type for one in settings.sms_providers] == ["twilio", "aws_sns", "console"]
    assert "mail" not in settings.embedded


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ("", False),
        ("SMS_PROVIDER: aws_sns", True),
        ("notifications: {sms: {providers: [{name: a, type: console}, {name: b, type: aws_sns}]}}", True),
    ],
)
def test_a_library_that_is_wanted_and_not_there_is_named_with_the_command_that_brings_it(
    tmp_path: Path, config: str, wanted: bool
) -> None:
    settings = installed(tmp_path, config=config)
    told = missing_extras(settings, lambda _: None)
    assert bool(told) == wanted and all("scripts/venv.sh aws" in sentence for sentence in told)
    assert missing_extras(settings, lambda name: name) == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"name": "console", "type": "console"}),
        (
            {"SMS_PROVIDER": "twilio", "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": SECRET, "TWILIO_FROM": "+337"},
            {"name": "twilio", "account_sid": "AC1", "auth_token": SECRET, "sender": "+337"},
        ),
        (
            {"SMS_PROVIDER": "aws_sns", "AWS_REGION": "eu-west-3", "AWS_ENDPOINT_URL_SNS": "http://h"},
            {"name": "aws_sns", "region": "eu-west-3", "endpoint_url": "http://h"},
        ),
    ],
)
def test_the_seeds_one_provider_makes_a_list_of_one(
    tmp_path: Path, environ: dict[str, str], expected: dict[str, str]
) -> None:
    (provider,) = installed(tmp_path, environ=environ).sms_providers
    assert {key: getattr(provider, key) for key in expected} == expected


# --- what is wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "place", "said"),
    [
        ("notifications:\n  emial: {}", "line 2 (notifications.emial)", "did you mean `email`?"),
        ("notification: {}", "line 1 (notification)", "did you mean `notifications`?"),
        ("SMTP_HOTS: x", "line 1 (SMTP_HOTS)", "did you mean `SMTP_HOST`?"),
        (
            "notifications: {email: {retry: {max_atempts: 3}}}",
            "email.retry.max_atempts",
            "did you mean `max_attempts`?",
        ),
        ("notifications: {limits: {globl: {}}}", "limits.globl", "did you mean `global`?"),
        ("notifications: {hours: {email: {form: '08:00'}}}", "hours.email.form", "did you mean `from`?"),
        ("kafka: {zzz: 1}", "kafka.zzz", "Known here: bootstrap_servers, partitions"),
        ("embedded: [kafka]", "line 1 (embedded)", "unknown key `embedded`"),
        (
            "notifications:\n  sms:\n    providers:\n      - {name: a, type: console}\n      - {name: b, typo: c}",
            "line 5 (notifications.sms.providers.1)",
            "`type` is missing",
        ),
        (
            "notifications: {sms: {providers: [{name: a, type: twilio, account_sid: b, auth_tokn: c, from: d}]}}",
            "notifications.sms.providers.0.auth_tokn",
            "did you mean `auth_token`?",
        ),
        ("notifications: {sms: {providers: [{name: a, type: twillio}]}}", "providers.0", "there is no type 'twillio'"),
        ("gateway: {port: eighty}", "gateway.port", "'eighty' was given, expected a whole number"),
        ("gateway: {port: true}", "gateway.port", "'true' was given, expected a whole number"),
        ("gateway: {port: 70000}", "gateway.port", "less than or equal to 65535"),
        ("gateway: 80", "line 1 (gateway)", "'80' was given, expected settings below it"),
        ("gateway: [80]", "line 1 (gateway)", "a list was given, expected settings below it"),
        ("notifications: {enabled: perhaps}", "notifications.enabled", "'perhaps' was given, expected true or false"),
        ("notifications: {default_time_zone: Europe/Pari}", "default_time_zone", "an IANA time zone"),
        ("notifications: {hours: {sms: {to: 25:00}}}", "hours.sms.to", "a time of day"),
        ("notifications: {scheduler: {jobs: {cleanup: 2 am}}}", "jobs.cleanup", "has 2 fields and needs five"),
        ("notifications: {scheduler: {jobs: {cleanup: 0 25 * * *}}}", "jobs.cleanup", "hour “25” cannot be read"),
        ("notifications: {scheduler: {jobs: {daily_report: 0 18 * * *}}}", "jobs.daily_report", "daily_report"),
        ("notifications: {hours: {sms: {days: [monday]}}}", "hours.sms.days.0", "'mon', 'tue'"),
        ("notifications: {hours: {fax: {}}}", "notifications.hours.fax", "'email' or 'sms'"),
        ("notifications: {hours: {sms: {days: []}}}", "hours.sms.days", "at least 1"),
        ("notifications: {hours: {sms: {from: '08:00', to: '08:00'}}}", "hours.sms", '"00:00" and "24:00"'),
        ("notifications: {digests: {news: {}}}", "digests.news", "either every_seconds or at"),
        ("notifications: {digests: {news: {every_seconds: 60, at: '18:00'}}}", "digests.news", "not both"),
        (
            "notifications: {alerts: {recipients: [a b]}}",
            "alerts.recipients: a b",
            "no user id, email address or number",
        ),
        ("notifications: {alerts: {recipients: [a@b]}}", "alerts.recipients: a@b", "@"),
        ("notifications: {alerts: {recipients: ['+33']}}", "alerts.recipients: +33", "international number"),
        ("notifications: {email: {enabled: false}, alerts: {recipients: [a@b.fr]}}", "a@b.fr", "enabled is false"),
        ("notifications: {sms: {provider: fax}}", "notifications.sms.provider", "'console', 'twilio' or 'aws_sns'"),
        ("notifications: {email: {retry: {max_attempts: 0}}}", "max_attempts", "greater than or equal to 1"),
        ("notifications: {scheduler: {check_interval_seconds: inf}}", "check_interval_seconds", "a finite number"),
        ("kafka: {bootstrap_servers: somewhere}", "kafka.bootstrap_servers", "host:port"),
        ("public_url: example.org", "public_url", "http:// or https://"),
        ('public_url: "https://example.org/> <x"', "public_url", "in ASCII and without blanks"),
        ("database_url: mysql://u:pw@h/d", "database_url", "mysql://u:***@h/d was given, expected a URL that starts"),
        ("a: 1\nb: [", "line 2", "this is not YAML"),
        ("- a", "config/notifications.yml", "expected `notifications:`"),
        ("gateway: 80\nGATEWAY_PORT: 8001", "line 1 (gateway)", "'80' was given, expected settings below it"),
        ("gateway: {port: 1}\ngateway: {port: 2}", "line 2", "gateway is there already in line 1"),
        ("notifications: 3", "line 1 (notifications)", "'3' was given, expected settings below it"),
    ],
)
def test_a_wrong_line_is_named_with_its_place_and_what_is_expected(
    tmp_path: Path, config: str, place: str, said: str
) -> None:
    found = problems(tmp_path, config=config)
    assert any(place in problem and said in problem for problem in found), found


@pytest.mark.parametrize(
    ("dotenv", "said"),
    [
        ("SMTP_HOTS=x", ".env, line 1: unknown name SMTP_HOTS, did you mean SMTP_HOST?"),
        ("\n# note\n\nSECRET_KEY=x", ".env, line 4: unknown name SECRET_KEY"),
        ("GATEWAY_PORT=1\nthis is no assignment", ".env, line 2: this is not NAME=value"),
        ("A" * 3, "unknown name AAA"),
        ("GATEWAY_PORT=x", ".env, line 1 (GATEWAY_PORT): 'x' was given, expected a whole number"),
        (
            f"SMTP_HOST=localhost\nSMTP_PASSWORD='a\n{SECRET}'",
            ".env, line 2 (SMTP_PASSWORD): *** was given, expected one line of text",
        ),
    ],
)
def test_a_wrong_line_of_dotenv_is_named(tmp_path: Path, dotenv: str, said: str) -> None:
    (problem, *_) = problems(tmp_path, dotenv=dotenv)
    assert said in problem
    assert SECRET not in problem


def test_compose_reads_the_same_dotenv_file(tmp_path: Path) -> None:
    installed(tmp_path, dotenv="COMPOSE_PROJECT_NAME=x\nPOSTGRES_PASSWORD=y\nGATEWAY_PORT=1")


@pytest.mark.parametrize(
    "name", ["KAFKA_HEAP_OPTS", "KAFKA_HOME", "KAFKA_LOG4J_OPTS", "GATEWAY_SERVICE_HOST", "SMTP_USER", "TOCSIN_VERSION"]
)
def test_a_foreign_variable_is_a_warning(tmp_path: Path, name: str) -> None:
    (warning,) = installed(tmp_path, environ={name: "x"}).warnings
    assert name in warning


@pytest.mark.parametrize("name", ["PATH", "HOME", "TOCSIN_FAILPOINTS", "TOCSIN_TEST_KAFKA", "SMTPD", "JWT"])
def test_other_variables_are_no_business_of_ours(tmp_path: Path, name: str) -> None:
    assert installed(tmp_path, environ={name: "x"}).warnings == ()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GATEWAY_PROT", "GATEWAY_PORT"),
        ("SMTP_HOTS", "SMTP_HOST"),
        ("TOCSIN_PUBLICURL", "TOCSIN_PUBLIC_URL"),
        ("KAFKA_PARTITION", "KAFKA_PARTITIONS"),
        ("JWT_SECRETS", "JWT_SECRET"),
    ],
)
def test_a_slip_of_a_letter_in_a_variable_stops_the_start(tmp_path: Path, name: str, meant: str) -> None:
    assert problems(tmp_path, environ={name: "1"}) == [
        f"environment variable {name}: unknown, did you mean {meant}? Rename or unset it."
    ]


def test_the_address_kubernetes_gives_a_service_called_gateway_is_not_our_port(tmp_path: Path) -> None:
    settings = installed(tmp_path, environ={"GATEWAY_PORT": "tcp://10.0.0.7:8000"})
    assert settings.gateway.port == 8000
    assert "Kubernetes" in settings.warnings[0]


def test_a_wrong_branch_is_not_hidden_by_what_the_environment_says_below_it(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, config="gateway: 80", environ={"GATEWAY_PORT": "8001"})
    assert "line 1 (gateway): '80' was given" in problem


def test_yaml_may_say_a_thing_once_and_use_it_twice(tmp_path: Path) -> None:
    config = """
notifications:
  email: {retry: &retry {max_attempts: 5, retry_delay_seconds: 7}}
  sms: {retry: {<<: *retry, max_attempts: 6}}
"""
    settings = installed(tmp_path, config=config)
    assert settings.notifications.sms.retry.max_attempts == 6
    assert settings.notifications.sms.retry.retry_delay_seconds == 7


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SMTP_HOST=\xff\xfe")
    with pytest.raises(SettingsError, match=r"\.env: cannot be read"):
        load(tmp_path, {})


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        config="notifications: {emial: {}, enabled: perhaps}\nJWT_JWKS_URL: nowhere",
        dotenv="FOO=1\nSMTP_PORT=x\nSMTP_HOST=m.example.org",
        environ={"GATEWAY_PROT": "1", "KAFKA_PARTITIONS": "many"},
    )
    for one in ("emial", "perhaps", "JWT_JWKS_URL", "FOO", "SMTP_PORT", "GATEWAY_PROT", "KAFKA_PARTITIONS"):
        assert sum(one in problem for problem in found) == 1, one
    assert len(found) == 7


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"JWT_SECRET": SECRET, "JWT_JWKS_URL": "https://h/k"}, "both set"),
        ({"GATEWAY_DEMO": "true", "JWT_JWKS_URL": "https://h/k"}, "GATEWAY_DEMO is on"),
        ({"JWT_SECRET": "short"}, "JWT_SECRET has fewer than 32 characters"),
        ({"TOCSIN_LINK_SECRET": "short"}, "TOCSIN_LINK_SECRET has fewer"),
        ({"SMTP_HOST": "m.example.org"}, "SMTP_FROM_EMAIL is not"),
        ({"SMS_PROVIDER": "twilio", "TWILIO_FROM": "+33"}, "TWILIO_ACCOUNT_SID is not set"),
    ],
)
def test_what_cannot_work_together_is_told(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    assert said in problems(tmp_path, environ=environ)[0]


def test_two_providers_of_one_name_are_a_problem(tmp_path: Path) -> None:
    config = "notifications: {sms: {providers: [{name: a, type: console}, {name: a, type: console}]}}"
    assert "2 are named a" in problems(tmp_path, config=config)[0]


# --- what is shown --------------------------------------------------------------------------------------------------


def test_no_secret_is_shown_whole_or_in_part(tmp_path: Path) -> None:
    config = f"""
notifications:
  email: {{providers: [{{name: g, type: gmail, username: me, password: {SECRET}}}]}}
  sms: {{providers: [{{name: t, type: twilio, account_sid: AC1, auth_token: {SECRET}, from: "+337"}}]}}
"""
    environ = {
        "SMTP_HOST": "m.example.org",
        "SMTP_FROM_EMAIL": "a@example.org",
        "SMTP_PASSWORD": SECRET,
        "TWILIO_AUTH_TOKEN": SECRET,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "DATABASE_URL": f"postgresql://me:{SECRET}@h/d",
        "JWT_SECRET": SECRET,
        "TOCSIN_LINK_SECRET": SECRET,
        "KAFKA_BOOTSTRAP_SERVERS": "k:9093",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_USERNAME": "me",
        "KAFKA_SASL_PASSWORD": SECRET,
        "KAFKA_SSL_KEY_PASSWORD": SECRET,
    }
    settings = installed(tmp_path, config=config, environ=environ)
    shown = masked(settings)
    assert SECRET[:6] not in str(shown)
    assert SECRET[:6] not in repr(settings)
    assert shown["database_url"] == "postgresql://me:***@h/d"
    assert shown["smtp"]["password"] == shown["jwt"]["secret"] == "***"
    assert shown["notifications"]["email"]["providers"][0]["password"] == "***"
    assert shown["notifications"]["limits"]["global"] == {"minute": 0}
    assert shown["twilio"]["account_sid"] is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("", "", 0), ("a", "", 1), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "abd", 1), ("PORT", "PROTS", 2)],
)
def test_distance_counts_slips(one: str, other: str, expected: int) -> None:
    assert distance(one, other) == distance(other, one) == expected


def test_nearest_does_not_mind_case() -> None:
    assert nearest("smtp_host", ["SMTP_HOST", "SMTP_PORT"]) == "SMTP_HOST"
    assert nearest("nothing", ["SMTP_HOST"]) is None
