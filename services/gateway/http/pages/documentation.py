"""`/docs`: the page on which the API can be read and tried; it runs its own scripts, and no others."""

import re
from base64 import b64encode
from hashlib import sha256
from typing import Final

from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PLACE: Final = "/docs"
FILES: Final = "/docs/static"

_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def routes(title: str, document: str) -> list[Route]:
    """The page; `document` is where the OpenAPI document is. Its files are served by the application."""
    page = get_swagger_ui_html(
        openapi_url=document,
        title=title,
        swagger_js_url=f"{FILES}/swagger-ui-bundle.js",
        swagger_css_url=f"{FILES}/swagger-ui.css",
        swagger_favicon_url=f"{FILES}/favicon.png",
    ).body
    headers = {"Content-Security-Policy": policy(bytes(page).decode())}

    async def show(_: Request) -> Response:
        return Response(page, headers=headers, media_type="text/html")

    return [Route(PLACE, show, include_in_schema=False)]


def policy(page: str) -> str:
    """What a browser may run and load for this page: its inline script, named by its hash, and what lies here.

    Swagger UI draws its icons from `data:`.
    """
    scripts = " ".join(f"'sha256-{_hash(script)}'" for script in _SCRIPT.findall(page))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {scripts}",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _hash(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()
