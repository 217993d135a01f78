"""A certificate for 127.0.0.1 that only these tests trust."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

CERTIFICATE = Path(__file__).with_name("certificate.pem")
"""Signed by itself, good until 2126; its key, beside it, opens nothing."""


@pytest.fixture
def certificate() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's context, and the client's that trusts it."""
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    theirs.load_cert_chain(CERTIFICATE)
    ours.load_verify_locations(CERTIFICATE)
    return theirs, ours
