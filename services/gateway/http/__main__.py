"""Write `openapi.json`: the document of the routes, committed so that a change of the surface is seen."""

import json
from pathlib import Path
from typing import Any, Final

from kit.clock import utc_now
from kit.settings import JwtSettings
from services.gateway.calls import Calls
from services.gateway.http.access.auth import Tokens
from services.gateway.http.api import api
from services.gateway.http.desk import Desk
from services.gateway.settings import Limits

FILE: Final = Path(__file__).parents[1] / "openapi.json"


def described() -> str:
    """The document as text. To describe the desk, nobody needs to be behind it."""
    nobody: Any = None
    calls = Calls(nobody, 0, utc_now)
    tokens = Tokens(JwtSettings(), nobody, nobody, calls)
    desk = Desk(
        settings=nobody,
        front=nobody,
        writer=nobody,
        announcer=nobody,
        publisher=nobody,
        tokens=tokens,
        limits=Limits(),
        admission=nobody,
        calls=calls,
        metrics=nobody,
        outcomes=nobody,
    )
    return json.dumps(api(desk).openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(described(), encoding="utf-8")
