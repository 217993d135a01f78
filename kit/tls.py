"""Whom we trust on the other side of a connection, and how we show who we are."""

import ssl
from functools import lru_cache
from pathlib import Path


def client_context(
    ca: Path | None, certificate: Path | None = None, key: Path | None = None, password: str | None = None
) -> ssl.SSLContext:
    """What a client of a TLS server needs. Names are checked, always.

    `ca`: the only authorities to trust, in PEM; None: those of this machine. `certificate` and `key`: ours, in PEM.
    Raises OSError (ssl.SSLError is one) where a file is not there, may not be read, or is no PEM.
    """
    files = tuple(file for file in (ca, certificate, key) if file)
    return _context(ca, certificate, key, password, tuple(file.stat().st_mtime_ns for file in files))


# Each is read once and not for each connection; one that is renewed has another time.
@lru_cache(maxsize=8)
def _context(
    ca: Path | None, certificate: Path | None, key: Path | None, password: str | None, _changed: tuple[int, ...]
) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    if certificate:
        # Without a password a key that has one would be asked for on a terminal, and nobody sits there.
        context.load_cert_chain(certificate, key, lambda: password or "")
    return context
