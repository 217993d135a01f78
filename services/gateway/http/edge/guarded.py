"""Every answer tells browsers, and whoever stands in between, what may not be done with it."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.http.pages.documentation import FILES

Header = tuple[bytes, bytes]

# https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers
ALWAYS: Final[tuple[Header, ...]] = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""An answer that is no page runs nothing, loads nothing, stands in no frame, and is what its type says."""
NOT_KEPT: Final[Header] = (b"cache-control", b"no-store")
"""What is said to one person is nobody else's, also in the cache of a shared machine."""
LOOKED_AFTER: Final[Header] = (b"cache-control", b"no-cache")
ONLY_IN_PRIVATE: Final[Header] = (b"strict-transport-security", b"max-age=31536000")
"""RFC 6797, where the public address is one of https: for a year, nothing is asked in the open."""


def said(public_url: str) -> tuple[Header, ...]:
    """What every answer says but those that are files."""
    return (*_always(public_url), NOT_KEPT)


def _always(public_url: str) -> tuple[Header, ...]:
    return (*ALWAYS, ONLY_IN_PRIVATE) if public_url.startswith("https:") else ALWAYS


class Guarded:
    """ASGI middleware. A header that the answer itself has is left as it is: pages know what they need."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        self._app = app
        self._said = said(public_url)
        self._said_of_files = (*_always(public_url), LOOKED_AFTER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Everybody's, and large: asked for again only when they have changed.
        said = self._said_of_files if scope["path"].startswith(f"{FILES}/") else self._said

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = dict(message["headers"])
                message["headers"] = [*message["headers"], *[one for one in said if one[0] not in own]]
            await send(message)

        await self._app(scope, receive, told)
