"""Whether we can get through to Kafka and PostgreSQL as the settings say: their halves, and their files."""

import ssl
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from kit.settings.names import name_of
from kit.settings.tree import KafkaSettings, Settings
from kit.tls import client_context

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
DATABASE_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


def through_to_kafka(settings: Settings) -> list[str]:
    """A sentence for each thing that is said in vain, lacks its other half, or cannot be read."""
    kafka = settings.kafka
    if "kafka" in settings.embedded and kafka.security_protocol != "PLAINTEXT":
        return [
            f"KAFKA_SECURITY_PROTOCOL is {kafka.security_protocol}, but KAFKA_BOOTSTRAP_SERVERS is not set: the "
            "embedded Kafka speaks PLAINTEXT. Set where yours is, or take the protocol out."
        ]
    return [*_login(kafka), *_certificates(kafka)]


def through_to_the_database(settings: Settings) -> list[str]:
    """The same of the options in DATABASE_URL, which the driver would only find out while we wait for the server."""
    try:
        said = {name: values[-1] for name, values in parse_qs(urlsplit(settings.database_url).query).items()}
    except ValueError:
        return ["DATABASE_URL is no URL. Write it as postgresql://user:password@host:5432/database."]
    problems = []
    if (mode := said.get("sslmode", "prefer")) not in SSL_MODES:
        problems.append(f"DATABASE_URL: there is no sslmode {mode}. Take one of {', '.join(SSL_MODES)}.")
    for name in DATABASE_FILES:
        if (file := said.get(name)) and not _can_be_read(file):
            problems.append(f"DATABASE_URL: {name} names {file}, which cannot be read. Put the file there (PEM).")
    return problems


def _login(kafka: KafkaSettings) -> Iterator[str]:
    login = {("kafka", key): getattr(kafka, key) for key in ("sasl_username", "sasl_password")}
    for place, value in login.items():
        if kafka.has_login and not value:
            yield f"KAFKA_SECURITY_PROTOCOL is {kafka.security_protocol}, but {name_of(place)} is not set. Set it."
        if value and not kafka.has_login:
            yield _in_vain(name_of(place), kafka, "SASL_SSL")


def _certificates(kafka: KafkaSettings) -> Iterator[str]:
    files = [("kafka", key) for key in ("ssl_ca_location", "ssl_certificate_location", "ssl_key_location")]
    given = [place for place in files if getattr(kafka, place[1])]
    if given and not kafka.is_private:
        yield _in_vain(name_of(given[0]), kafka, "SSL")
        return
    if kafka.ssl_key_location and not kafka.ssl_certificate_location:
        yield "KAFKA_SSL_KEY_LOCATION is set, but KAFKA_SSL_CERTIFICATE_LOCATION is not. Set both, or none."
        return
    missing = [place for place in given if not _can_be_read(str(getattr(kafka, place[1])))]
    for place in missing:
        yield f"{name_of(place)} names {getattr(kafka, place[1])}, which cannot be read. Put the file there (PEM)."
    if kafka.is_private and not missing:
        yield from _unusable(kafka)


def _unusable(kafka: KafkaSettings) -> Iterator[str]:
    """What is there and no certificate, or no key of it."""
    try:
        client_context(kafka.ssl_ca_location)
    except (OSError, ssl.SSLError) as error:
        yield f"KAFKA_SSL_CA_LOCATION holds no certificates in PEM ({error}). Put those there that you trust."
        return
    try:
        client_context(None, kafka.ssl_certificate_location, kafka.ssl_key_location, kafka.ssl_key_password)
    except (OSError, ssl.SSLError) as error:
        yield (
            f"KAFKA_SSL_CERTIFICATE_LOCATION and its key cannot be used ({error}). Both are PEM and belong together; "
            "KAFKA_SSL_KEY_PASSWORD opens the key."
        )


def _in_vain(name: str | None, kafka: KafkaSettings, instead: str) -> str:
    return f"{name} has no effect with KAFKA_SECURITY_PROTOCOL {kafka.security_protocol}. Set {instead}."


def _can_be_read(file: str) -> bool:
    try:
        with open(file, "rb"):
            return True
    except OSError:
        return False
