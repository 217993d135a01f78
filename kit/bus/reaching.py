"""How each of our clients reaches Kafka: where it is, whom we trust there, and who we say we are."""

from typing import Any

from kit.settings import KafkaSettings
from kit.tls import client_context


def reaching(kafka: KafkaSettings) -> dict[str, Any]:
    """The options that all of aiokafka's clients share. Raises OSError where a certificate cannot be read."""
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap_servers,
        "security_protocol": kafka.security_protocol,
    }
    if kafka.is_private:
        options["ssl_context"] = client_context(
            kafka.ssl_ca_location, kafka.ssl_certificate_location, kafka.ssl_key_location, kafka.ssl_key_password
        )
    if kafka.has_login:
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": kafka.sasl_password,
        }
    return options
