"""The catcher's page and its JSON API."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deploy.local.catcher.behaviour import CATALOGUE
from deploy.local.catcher.mail import Mail, Try, content_of, files_of
from deploy.local.catcher.mailbox import Mailbox

FILES = Path(__file__).parent / "page"
LONGEST_WAIT = 60.0
# A mail is a stranger's HTML: the page runs only its own script, and a shown mail none, and loads nothing from afar.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; img-src 'self' data:;"
    " frame-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)


def application(mailbox: Mailbox) -> Starlette:
    """The ASGI application over a mailbox."""

    async def mails(request: Request) -> Response:
        """Waits up to `wait` seconds for a fitting mail with a number above `after`; newest first."""
        query = request.query_params
        after, limit = _number(request, "after", 0), min(_number(request, "limit", 200), 1000)
        wait = min(_number(request, "wait", 0), LONGEST_WAIT)

        def found() -> list[Mail]:
            return mailbox.find(
                to=query.get("to"),
                subject=query.get("subject"),
                message_id=query.get("message_id"),
                after=after,
                limit=limit,
                newest_first=True,
            )

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while wait and not found() and not mailbox.ending:
                    await mailbox.changed()
        return JSONResponse({"items": [_summary(mail) for mail in found()], "total": mailbox.count()})

    async def mail(request: Request) -> Response:
        return JSONResponse(_detail(_wanted(mailbox, request)))

    async def source(request: Request) -> Response:
        return PlainTextResponse(_wanted(mailbox, request).source)

    async def attachment(request: Request) -> Response:
        """A file of a mail, as it was sent; for saving, never for showing: it is a stranger's."""
        files = files_of(_wanted(mailbox, request))
        place = request.path_params["place"]
        if place >= len(files):
            raise HTTPException(404, "this mail has no such attachment")
        name = quote(files[place].get_filename() or f"attachment-{place}", safe="")
        headers = {"Content-Disposition": f"attachment; filename*=utf-8''{name}", "X-Content-Type-Options": "nosniff"}
        return Response(content_of(files[place]), headers=headers, media_type="application/octet-stream")

    async def clear(request: Request) -> Response:
        mailbox.clear()
        return Response(status_code=204)

    async def tries(request: Request) -> Response:
        found = mailbox.tries(request.query_params.get("recipient"))
        return JSONResponse({"items": [_try(one) for one in found]})

    async def behaviours(request: Request) -> Response:
        return JSONResponse({"items": [{"address": address, "effect": effect} for address, effect in CATALOGUE]})

    async def ready(request: Request) -> Response:
        return JSONResponse({"status": "ready"})

    def file(name: str) -> Any:
        async def send(request: Request) -> Response:
            return FileResponse(FILES / name, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})

        return send

    return Starlette(
        routes=[
            Route("/", file("index.html")),
            Route("/page.js", file("page.js")),
            Route("/page.css", file("page.css")),
            Route("/api/messages", mails, methods=["GET"]),
            Route("/api/messages", clear, methods=["DELETE"]),
            Route("/api/messages/{number:int}", mail),
            Route("/api/messages/{number:int}/source", source),
            Route("/api/messages/{number:int}/attachments/{place:int}", attachment),
            Route("/api/tries", tries),
            Route("/api/behaviours", behaviours),
            Route("/health/ready", ready),
        ],
        # A name that somebody's DNS points here would let that somebody's page read the mails.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )


def _number(request: Request, name: str, default: int) -> int:
    try:
        return max(0, int(request.query_params.get(name, default)))
    except ValueError:
        raise HTTPException(422, f"{name} is a whole number") from None


def _wanted(mailbox: Mailbox, request: Request) -> Mail:
    found = mailbox.get(request.path_params["number"])
    if found is None:
        raise HTTPException(404, "there is no such mail (any more)")
    return found


def _summary(mail: Mail) -> dict[str, object]:
    return {
        "id": mail.id,
        "received_at": mail.received_at.isoformat(),
        "from": mail.sender,
        "to": list(mail.recipients),
        "subject": mail.subject,
        "message_id": mail.message_id,
        "copy": mail.copy,
        "size": len(mail.source),
    }


def _detail(mail: Mail) -> dict[str, object]:
    parsed = mail.parsed()
    return {
        **_summary(mail),
        "headers": [[name, str(value)] for name, value in parsed.items()],
        "text": mail.text,
        "html": mail.html,
        "attachments": [
            {
                "name": part.get_filename() or "",
                "content_type": part.get_content_type(),
                "size": len(content_of(part)),
            }
            for part in files_of(mail)
        ],
    }


def _try(one: Try) -> dict[str, object]:
    return {
        "at": one.at.isoformat(),
        "recipient": one.recipient,
        "step": one.step,
        "answer": one.answer,
        "message_id": one.message_id,
    }
