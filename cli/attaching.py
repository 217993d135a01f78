"""A file of this machine becomes an attachment."""

from __future__ import annotations

import re
from base64 import b64encode
from mimetypes import guess_type
from pathlib import Path
from typing import Final

from deploy.local.trouble import Trouble

_METHOD: Final = re.compile(rb"^METHOD:([A-Za-z-]+)\s*$", re.MULTILINE)


def attachment(file: Path) -> dict[str, str]:
    """As a request carries it. Raises Trouble for a file that cannot be read."""
    try:
        octets = file.read_bytes()
    except OSError as error:
        raise Trouble(f"--attach {file} cannot be read ({error.strerror})", "give a file that is there") from None
    return {"name": file.name, "content_type": _type_of(file.name, octets), "content": b64encode(octets).decode()}


def _type_of(name: str, octets: bytes) -> str:
    """By its name; a calendar with a METHOD says so, and is then an invitation (RFC 6047, 2.4)."""
    found = guess_type(name)[0] or "application/octet-stream"
    method = _METHOD.search(octets) if found == "text/calendar" else None
    return f"{found}; method={method[1].decode()}" if method else found
