"""Who delivers, how often it is tried, and what they take in a day."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.status import Lane
from kit.delivery.pace.limits import paces
from kit.delivery.pace.rules import Limit
from kit.settings import missing_extras
from tests.kit.settings.support import SECRET, installed


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
