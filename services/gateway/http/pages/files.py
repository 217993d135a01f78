"""The bell and its demo page: files of `web/`, with headers under which a browser runs nothing but them."""

import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

WEB: Final = Path(__file__).parents[2] / "web"

CSP: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Nothing inline, nothing from elsewhere, no text that becomes markup (CSP 3, Trusted Types)."""

_COMMON: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}
PAGE: Final = _COMMON | {"Content-Security-Policy": CSP}
EVERYWHERE: Final = _COMMON | {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""The bell is for pages of other sites, too."""


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is served."""

    content: bytes
    packed: bytes
    kind: str
    etag: str
    headers: dict[str, str]

    @classmethod
    def of(cls, content: bytes, kind: str, headers: dict[str, str]) -> "File":
        """`kind`: its media type."""
        return cls(content, gzip.compress(content, mtime=0), kind, hashlib.sha256(content).hexdigest()[:24], headers)

    def answer(self, request: Request) -> Response:
        """Packed for who can unpack it; nothing for who has it already (RFC 9110, 13.1.2)."""
        packed = "gzip" in request.headers.get("accept-encoding", "")
        etag = f'"{self.etag}{"-gzip" if packed else ""}"'
        headers = self.headers | {"ETag": etag} | ({"Content-Encoding": "gzip"} if packed else {})
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.packed if packed else self.content, headers=headers, media_type=self.kind)


def without_comments(script: str) -> str:
    """A script as it is served: without its comments and indentation, and on fewer lines. It is written for that:
    comments are JSDoc's or have a line of their own, statements end on semicolons, no text holds ` = ` or ` && `."""
    script = re.sub(r"/\*\*((?!\*/).)*\*/\s*", "", script, flags=re.DOTALL)
    script = re.sub(r"^[ \t]*//.*\n", "", script, flags=re.MULTILINE)
    script = re.sub(r"^[ \t]+", "", script, flags=re.MULTILINE)
    script = re.sub(r" (=|=>|===|!==|&&|\|\|) ", r"\1", script)
    return re.sub(r"(?<=[;,{}(\[])\n|\n(?=\n)", "", script)


def routes() -> list[Route]:
    """Where they are found. Nobody needs a token to get them: what they show, they ask for with one."""
    bell = without_comments((WEB / "tocsin-bell.js").read_text(encoding="utf-8")).encode()
    types = (WEB / "tocsin-bell.d.ts").read_bytes()
    return [
        route("/bell/tocsin-bell.js", File.of(bell, "text/javascript", EVERYWHERE)),
        route("/bell/tocsin-bell.d.ts", File.of(types, "text/plain", EVERYWHERE)),
        route("/demo", _file("demo.html", "text/html")),
        route("/demo/demo.js", _file("demo.js", "text/javascript")),
        route("/demo/demo.css", _file("demo.css", "text/css")),
        route("/demo/icon.svg", _file("icon.svg", "image/svg+xml")),
    ]


def _file(name: str, kind: str) -> File:
    return File.of((WEB / name).read_bytes(), kind, PAGE)


def route(path: str, file: File) -> Route:
    """It is served there, and not described: it is no part of the API."""

    async def serve(request: Request) -> Response:
        return file.answer(request)

    return Route(path, serve, include_in_schema=False)
