"""Tokens for the demo page: only in a development installation, only for its own page, only for an hour."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.request import Name, Strict
from kit import tokens
from kit.clock import utc_now
from kit.settings import Settings
from services.gateway.http import bodies
from services.gateway.http.desk import Desk
from services.gateway.http.problems import forbidden

LASTING: Final = timedelta(hours=1)
LARGEST: Final = 1024
OFF: Final = (
    "this installation gives no tokens away (GATEWAY_DEMO is off): "
    "`tocsin token --user <name>` prints one that can be pasted into the page"
)


class Visitor(Strict):
    """Who somebody wants to be: a user without any role, of the tenant `default`."""

    user: Name


class Given(BaseModel):
    """A token, and for how many seconds it is good."""

    token: str
    user: str
    expires_in: int


def routes(desk: Desk) -> list[Route]:
    """Not in the document: they are for `/demo` alone."""

    async def whether(_: Request) -> Response:
        """Whether tokens are given away here."""
        return Response(
            '{"tokens":true}' if _is_on(desk.settings) else '{"tokens":false}', media_type="application/json"
        )

    async def give(request: Request) -> Response:
        """Raises Problem 403 where that is off, or where another page asks."""
        if not _is_on(desk.settings):
            raise forbidden("demo_off", OFF)
        if not is_own_page(request.headers, desk.settings.public_url):
            raise forbidden("foreign_page", "only the page /demo of this gateway itself is given a token")
        user = (await bodies.model(request, Visitor, LARGEST)).user
        jwt, secret = desk.settings.jwt, desk.settings.jwt.secret or ""
        token = tokens.signed(jwt, secret, user, "user", utc_now(), LASTING)
        given = Given(token=token, user=user, expires_in=int(LASTING.total_seconds()))
        return Response(given.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})

    return [
        Route("/demo/token", whether, methods=["GET"], include_in_schema=False),
        Route("/demo/token", give, methods=["POST"], include_in_schema=False),
    ]


def is_own_page(headers: Mapping[str, str], public_url: str) -> bool:
    """Whether a page that this gateway served is asking, and no other site through the browser of a developer.

    A foreign page cannot send JSON here unasked (Fetch, CORS), nor leave its origin away. A name that leads here
    without being ours (DNS rebinding) shows in `Host`.
    """
    host = headers.get("host", "")
    ours = _name(f"//{host}") in ("127.0.0.1", "localhost", "::1", _name(public_url))
    same = headers.get("origin") in (None, f"http://{host}", f"https://{host}")
    json = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    return ours and same and json and headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _is_on(settings: Settings) -> bool:
    return settings.gateway.demo and bool(settings.jwt.secret)


def _name(url: str) -> str | None:
    """The host of an address, without its port; None where there is none to be found."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
