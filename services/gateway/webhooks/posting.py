"""One attempt: posted once, within limits of time and size; whatever comes of it is an answer."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

import httpcore
import httpx

from kit.clock import monotonic
from services.gateway.rules.reaching import Network, url_problem
from services.gateway.rules.webhooks import Answer
from services.gateway.webhooks.network import Outward, Refused, Resolve, resolve

OURS: Final = {"content-type": "application/json", "user-agent": "tocsin-webhooks", "accept-encoding": "identity"}
KEPT_CONNECTIONS: Final = 50
KEPT_SECONDS: Final = 15.0
READ_BYTES: Final = 16 * 1024
"""Of an answer no more is read; the connection of who says more is closed."""
SHOWN_CHARACTERS: Final = 200


class Poster:
    """Posts to receivers: no redirect is followed, no proxy asked, no cookie kept, nothing unpacked."""

    def __init__(
        self,
        allow_http: bool,
        permitted: Sequence[Network],
        seconds: float,
        *,
        resolve: Resolve = resolve,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`seconds`: for all of it, from the name to the last byte that is read. `trust`: whose certificates; by
        default those of certifi, or of SSL_CERT_FILE."""
        self._allow_http = allow_http
        self._permitted = permitted
        self._seconds = seconds
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust or httpx.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=KEPT_CONNECTIONS,
            keepalive_expiry=KEPT_SECONDS,
            network_backend=Outward(permitted, resolve),
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, or in a word why there is none."""
        # Settings may have become stricter since it was registered.
        if problem := url_problem(url, self._allow_http, self._permitted):
            return Answer(None, "address_refused", 0, problem)
        begun = monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                status, text, wish = await self._post(url, body, headers)
        except Exception as error:
            return Answer(None, _word(error), _since(begun))
        return Answer(status, None if 200 <= status < 300 else f"status_{status}", _since(begun), text, wish)

    async def close(self) -> None:
        await self._pool.aclose()

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, float]:
        sent = list({**OURS, **headers}.items())
        limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)}
        async with self._pool.stream("POST", url, headers=sent, content=body, extensions=limits) as answer:
            text = _readable(await _beginning(answer))
            return answer.status, text, _wish(answer.headers)


async def _beginning(answer: httpcore.Response) -> bytes:
    begin = bytearray()
    async for part in answer.aiter_stream():
        begin += part
        if len(begin) >= READ_BYTES:
            break
    return bytes(begin[:READ_BYTES])


def _readable(answer: bytes) -> str:
    text = answer[: 4 * SHOWN_CHARACTERS].decode(errors="replace")
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:SHOWN_CHARACTERS]


def _wish(headers: Sequence[tuple[bytes, bytes]]) -> float:
    """Retry-After in seconds; a date is not heeded."""
    found = next((value for name, value in headers if name.lower() == b"retry-after"), b"")
    return float(found) if found.isdigit() and len(found) < 8 else 0.0


def _word(error: Exception) -> str:
    """Stable words: what people can act upon."""
    match error:
        case Refused():
            return "address_refused"
        case TimeoutError() | httpcore.TimeoutException():
            return "timeout"
        case httpcore.ConnectError() if _is_tls(error):
            return "tls_failed"
        case httpcore.ConnectError():
            return "not_connected"
        case httpcore.ProtocolError() | httpcore.NetworkError():
            return "connection_lost"
        case UnicodeError() | OSError():
            return "name_not_found"
        case _:
            return "not_posted"


def _is_tls(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


def _since(begun: float) -> int:
    return round((monotonic() - begun) * 1000)
