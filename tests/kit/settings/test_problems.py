"""What people are told when something is wrong: the place, what is expected, and the nearest word."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.settings import SettingsError, load
from kit.settings.problems import distance, nearest
from tests.kit.settings.support import SECRET, installed, problems


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


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("", "", 0), ("a", "", 1), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "abd", 1), ("PORT", "PROTS", 2)],
)
def test_distance_counts_slips(one: str, other: str, expected: int) -> None:
    assert distance(one, other) == distance(other, one) == expected


def test_nearest_does_not_mind_case() -> None:
    assert nearest("smtp_host", ["SMTP_HOST", "SMTP_PORT"]) == "SMTP_HOST"
    assert nearest("nothing", ["SMTP_HOST"]) is None
