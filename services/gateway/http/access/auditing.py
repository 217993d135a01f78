"""Whatever an admin changes is written down before it is done: who, when, what, to what; and then what came of it."""

from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit import logs
from kit.postgres import Database
from services.gateway.http.access.auth import Tokens, bearer_of
from services.gateway.http.ids import new_id
from services.gateway.http.problems import Problem
from services.gateway.rules.auditing import is_audited, what
from services.gateway.rules.trust import Caller
from services.gateway.store import audit

log = logs.get(__name__)

DETAIL: Final = "tocsin.audit"


def remark(request: Request, detail: str) -> None:
    """What came of it, for the audit: how many, or which; no addresses, no contents."""
    request.scope[DETAIL] = detail


class Audited:
    """ASGI middleware. A route does not have to remember it; nothing is done that could not be written down."""

    def __init__(self, app: ASGIApp, database: Database, tokens: Tokens) -> None:
        self._app = app
        self._database = database
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        admin = await self._admin(scope) if is_audited(scope) else None
        if admin is None:
            await self._app(scope, receive, send)
            return
        id = await self._begin(admin, scope)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._end(id, scope, message)
            await send(message)

        await self._app(scope, receive, watched)

    async def _admin(self, scope: Scope) -> Caller | None:
        """The admin who is calling; everybody else the route refuses, or has nothing to hide from."""
        try:
            caller = await self._tokens.caller_of(bearer_of(Request(scope)))
        except Problem:
            return None
        return caller if caller.is_admin else None

    async def _begin(self, admin: Caller, scope: Scope) -> UUID:
        id = new_id()
        async with self._database.connection() as connection:
            await audit.begin(connection, id, admin.tenant, admin.owner, scope["method"], what(scope))
        return id

    async def _end(self, id: UUID, scope: Scope, answer: Message) -> None:
        headers = dict(answer.get("headers", ()))
        detail = scope.get(DETAIL) or headers.get(b"location", b"").decode("latin-1") or None
        try:
            async with self._database.connection() as connection:
                await audit.end(connection, id, answer["status"], detail)
        except Exception as error:  # it was done: who asked has a right to his answer
            log.error("audit_without_an_end", id=str(id), error=f"{type(error).__name__}: {error}")
