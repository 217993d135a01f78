"""What the settings say of TLS and logins is tried before anything waits for a server in vain."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.settings.support import SECRET, installed, problems
from tests.secured.certificates import Authority

OPEN = {"KAFKA_BOOTSTRAP_SERVERS": "k:9093"}
SASL = OPEN | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}
LOGIN = SASL | {"KAFKA_SASL_USERNAME": "me", "KAFKA_SASL_PASSWORD": SECRET}
NO_PEM = __file__


def test_a_kafka_that_wants_to_know_who_we_are_is_told(tmp_path: Path) -> None:
    """A file's place is below the installation, where it is not said in full."""
    own = Authority(tmp_path).identity("tocsin_intake", "opens it")
    files = {"KAFKA_SSL_CA_LOCATION": "authority.pem", "KAFKA_SSL_CERTIFICATE_LOCATION": str(own.certificate)}
    key = {"KAFKA_SSL_KEY_LOCATION": str(own.key), "KAFKA_SSL_KEY_PASSWORD": "opens it"}
    kafka = installed(tmp_path, environ=LOGIN | files | key).kafka
    assert (kafka.is_private, kafka.has_login, kafka.ssl_ca_location) == (True, True, tmp_path / "authority.pem")
    wrong = problems(tmp_path, environ=LOGIN | files | key | {"KAFKA_SSL_KEY_PASSWORD": "guessed"})
    assert "KAFKA_SSL_KEY_PASSWORD opens the key" in wrong[0]


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "the embedded Kafka speaks PLAINTEXT. Set where yours is"),
        (SASL | {"KAFKA_SASL_USERNAME": "me"}, "is SASL_SSL, but KAFKA_SASL_PASSWORD is not set. Set it."),
        (OPEN | {"KAFKA_SASL_PASSWORD": SECRET}, "KAFKA_SASL_PASSWORD has no effect with"),
        (OPEN | {"KAFKA_SSL_CA_LOCATION": "ca.pem"}, "KAFKA_SSL_CA_LOCATION has no effect with"),
        (LOGIN | {"KAFKA_SSL_KEY_LOCATION": "key.pem"}, "KAFKA_SSL_CERTIFICATE_LOCATION is not. Set both"),
        (LOGIN | {"KAFKA_SSL_CA_LOCATION": "not/there.pem"}, "not/there.pem, which cannot be read. Put the file there"),
        (LOGIN | {"KAFKA_SSL_CA_LOCATION": NO_PEM}, "KAFKA_SSL_CA_LOCATION holds no certificates in PEM"),
        (
            LOGIN | {"KAFKA_SSL_CERTIFICATE_LOCATION": NO_PEM},
            "KAFKA_SSL_CERTIFICATE_LOCATION and its key cannot be used",
        ),
        ({"DATABASE_URL": "postgresql://h/d?sslmode=verify"}, "there is no sslmode verify. Take one of disable, allow"),
        ({"DATABASE_URL": "postgresql://h/d?sslrootcert=/no/ca"}, "sslrootcert names /no/ca, which cannot be read"),
    ],
)
def test_what_cannot_get_through_is_told_with_its_remedy(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    [problem] = problems(tmp_path, environ=environ)
    assert said in problem
    assert SECRET not in problem
