"""Each environment variable and the place in the tree it sets; `.env` and the top of the YAML file take them too."""

from collections.abc import Mapping
from typing import Final

Place = tuple[str, ...]

_NAMES: Final[Mapping[str, Place]] = {
    "SMTP_HOST": ("smtp", "host"),
    "SMTP_PORT": ("smtp", "port"),
    "SMTP_USERNAME": ("smtp", "username"),
    "SMTP_PASSWORD": ("smtp", "password"),
    "SMTP_FROM_EMAIL": ("smtp", "from_email"),
    "SMTP_SECURITY": ("smtp", "security"),
    "SMTP_BOUNCE_ADDRESS": ("smtp", "bounce_address"),
    "SMTP_CONNECTIONS": ("smtp", "connections"),
    "SMS_PROVIDER": ("notifications", "sms", "provider"),
    "TWILIO_ACCOUNT_SID": ("twilio", "account_sid"),
    "TWILIO_AUTH_TOKEN": ("twilio", "auth_token"),
    "TWILIO_FROM": ("twilio", "from"),
    "TWILIO_API_BASE": ("twilio", "api_base"),
    "TWILIO_CONNECTIONS": ("twilio", "connections"),
    "AWS_ENDPOINT_URL_SNS": ("aws", "endpoint_url_sns"),
    "AWS_REGION": ("aws", "region"),
    "AWS_ACCESS_KEY_ID": ("aws", "access_key_id"),
    "AWS_SECRET_ACCESS_KEY": ("aws", "secret_access_key"),
    "AWS_SESSION_TOKEN": ("aws", "session_token"),
    "AWS_SNS_SENDER_ID": ("aws", "sender_id"),
    "AWS_SNS_MAX_PRICE": ("aws", "max_price"),
    "AWS_SNS_CONNECTIONS": ("aws", "connections"),
    "NOTIFICATION_LOG_LEVEL": ("log_level",),
    "NOTIFICATION_ALERT_RECIPIENTS": ("notifications", "alerts", "recipients"),
    "NOTIFICATION_DAILY_REPORT_AT": ("notifications", "daily_report_at"),
    "NOTIFICATION_SCHEDULER_INTERVAL": ("notifications", "scheduler", "check_interval_seconds"),
    "KAFKA_BOOTSTRAP_SERVERS": ("kafka", "bootstrap_servers"),
    "KAFKA_TOPIC_PREFIX": ("kafka", "topic_prefix"),
    "KAFKA_PARTITIONS": ("kafka", "partitions"),
    "KAFKA_REPLICATION": ("kafka", "replication"),
    "KAFKA_SESSION_TIMEOUT_MS": ("kafka", "session_timeout_ms"),
    "KAFKA_SECURITY_PROTOCOL": ("kafka", "security_protocol"),
    "KAFKA_SSL_CA_LOCATION": ("kafka", "ssl_ca_location"),
    "KAFKA_SSL_CERTIFICATE_LOCATION": ("kafka", "ssl_certificate_location"),
    "KAFKA_SSL_KEY_LOCATION": ("kafka", "ssl_key_location"),
    "KAFKA_SSL_KEY_PASSWORD": ("kafka", "ssl_key_password"),
    "KAFKA_SASL_MECHANISM": ("kafka", "sasl_mechanism"),
    "KAFKA_SASL_USERNAME": ("kafka", "sasl_username"),
    "KAFKA_SASL_PASSWORD": ("kafka", "sasl_password"),
    "DATABASE_URL": ("database_url",),
    "JWT_SECRET": ("jwt", "secret"),
    "JWT_JWKS_URL": ("jwt", "jwks_url"),
    "JWT_ISSUER": ("jwt", "issuer"),
    "JWT_AUDIENCE": ("jwt", "audience"),
    "GATEWAY_HOST": ("gateway", "host"),
    "GATEWAY_PORT": ("gateway", "port"),
    "GATEWAY_ADDRESS_ANYONE": ("gateway", "address_anyone"),
    "GATEWAY_ORIGINS": ("gateway", "origins"),
    "GATEWAY_DEMO": ("gateway", "demo"),
    "GATEWAY_WEBHOOKS_ALLOW_HTTP": ("gateway", "webhooks", "allow_http"),
    "GATEWAY_WEBHOOKS_PRIVATE_NETWORKS": ("gateway", "webhooks", "private_networks"),
    "TOCSIN_PUBLIC_URL": ("public_url",),
    "TOCSIN_LINK_SECRET": ("link_secret",),
    "TOCSIN_STATE_DIR": ("state_dir",),
    "TOCSIN_LOGS_DIR": ("logs_dir",),
    "TOCSIN_ARCHIVE_DIR": ("archive_dir",),
    "TOCSIN_HEALTH_HOST": ("ports", "host"),
    "TOCSIN_INTAKE_PORT": ("ports", "intake"),
    "TOCSIN_SCHEDULER_PORT": ("ports", "scheduler"),
    "TOCSIN_EMAIL_SENDER_PORT": ("ports", "email_sender"),
    "TOCSIN_SMS_SENDER_PORT": ("ports", "sms_sender"),
    "TOCSIN_GATEWAY_HEALTH_PORT": ("ports", "gateway"),
    "TOCSIN_KAFKA_PORT": ("ports", "kafka"),
    "TOCSIN_MAIL_SMTP_PORT": ("ports", "mail_smtp"),
    "TOCSIN_MAIL_PAGE_PORT": ("ports", "mail_page"),
    "TOCSIN_RETURNED_MAIL_PORT": ("ports", "returned_mail"),
}

SECRETS: Final = (
    "SMTP_PASSWORD",
    "TWILIO_AUTH_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "KAFKA_SSL_KEY_PASSWORD",
    "KAFKA_SASL_PASSWORD",
    "DATABASE_URL",
    "JWT_SECRET",
    "TOCSIN_LINK_SECRET",
)
"""Those that may also lie in a file, which SMTP_PASSWORD_FILE and so on name."""

_FILES = {f"{name}_FILE": (*_NAMES[name][:-1], f"{_NAMES[name][-1]}_file") for name in SECRETS}
NAMES: Final[Mapping[str, Place]] = {**_NAMES, **_FILES}

CONFIG_FILE: Final = "TOCSIN_CONFIG"

# Read elsewhere than in the tree: which file is read, what the `tocsin` command goes by, and what only tests set.
NOT_IN_THE_TREE: Final = (CONFIG_FILE, "TOCSIN_URL", "TOCSIN_TOKEN", "TOCSIN_WAY", "TOCSIN_FAILPOINTS", "TOCSIN_TEST_")

OUR_PREFIXES: Final = ("TOCSIN_", "NOTIFICATION_", "SMTP_", "SMS_", "TWILIO_", "KAFKA_", "JWT_", "GATEWAY_")

# Docker compose reads the same .env file: these are its own and those of the images it starts.
FOREIGN_IN_DOTENV: Final = ("COMPOSE_", "DOCKER_", "POSTGRES_", "GF_", "AWS_", "OTEL_")


def name_of(place: Place) -> str | None:
    """The environment variable that sets this place, or None."""
    return next((name for name, where in NAMES.items() if where == place), None)
