"""A Kafka that is spoken with in private, and that wants to know who we are."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Literal

File = str | PathLike[str]


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM. `ca`: the only authorities to trust, if not this machine's; `certificate` and `key`: yours."""

    ca: File | None = None
    certificate: File | None = None
    key: File | None = None
    key_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password."""

    username: str
    password: str = field(repr=False)
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"


def options(tls: Tls | None, login: Login | None) -> dict[str, Any]:
    """What aiokafka is told. Raises OSError (ssl.SSLError is one) where a file cannot be read or is no PEM."""
    said: dict[str, Any] = {"security_protocol": ("SASL_" if login else "") + ("SSL" if tls else "PLAINTEXT")}
    if tls:
        said["ssl_context"] = _context(tls)
    if login:
        said |= {
            "sasl_mechanism": login.mechanism,
            "sasl_plain_username": login.username,
            "sasl_plain_password": login.password,
        }
    return said


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca)
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key, lambda: tls.key_password or "")
    return context
