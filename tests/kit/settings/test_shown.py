"""What is shown of settings: no secret, not in part."""

from __future__ import annotations

from pathlib import Path

from kit.settings import masked
from tests.kit.settings.support import SECRET, installed


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
