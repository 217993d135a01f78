"""What stands in the audit: changes, and what shows all about a person."""

from collections.abc import Mapping
from typing import Any, Final

LOOKS: Final = ("GET", "HEAD", "OPTIONS")
SHOWS_ALL: Final = "/export"
LONGEST: Final = 1000


def is_audited(scope: Mapping[str, Any]) -> bool:
    """Whether this request is written down when an admin makes it."""
    if scope["type"] != "http":
        return False
    return scope["method"] not in LOOKS or str(scope["path"]).endswith(SHOWS_ALL)


def what(scope: Mapping[str, Any]) -> str:
    """What it is done to: the path and its query."""
    query = bytes(scope.get("query_string", b"")).decode("latin-1")
    return f"{scope['path']}{'?' if query else ''}{query}"[:LONGEST]
