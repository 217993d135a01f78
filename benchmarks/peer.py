"""What the gateway's POST is measured against: FastAPI, one INSERT per request, the same JWT check.

`python -m benchmarks.peer --port N --database URL`: written as its documentation shows, served with our own options.
"""

import argparse
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

import asyncpg
import jwt
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

TABLE = """
create schema if not exists peer;
create table if not exists peer.notifications (
    id uuid primary key, owner text not null, channel text not null, recipient text, user_id text, subject text,
    body text, lane text not null, created_at timestamptz not null default now()
);
"""
INSERT = """
insert into peer.notifications (id, owner, channel, recipient, user_id, subject, body, lane)
values ($1, $2, $3, $4, $5, $6, $7, $8) returning created_at
"""


class Notification(BaseModel):
    """The fields of the measured body, and the checks that come for free."""

    channel: Literal["email", "sms", "inapp"]
    to: str | None = None
    user_id: str | None = None
    subject: str | None = None
    body: str | None = None
    lane: Literal["urgent", "normal", "bulk"] = "normal"


def app(database: str, secret: str) -> FastAPI:
    """One route."""
    pools: list[asyncpg.Pool[asyncpg.Record]] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(database, min_size=12, max_size=12) as pool:
            await pool.execute(TABLE)
            pools.append(pool)
            yield

    def caller(authorization: Annotated[str, Header()]) -> str:
        try:
            claims = jwt.decode(
                authorization.removeprefix("Bearer "),
                secret,
                algorithms=["HS256"],
                issuer="tocsin",
                audience="tocsin",
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise HTTPException(401, str(error)) from None
        return str(claims["sub"])

    served = FastAPI(lifespan=lifespan)

    @served.post("/v1/notifications", status_code=202)
    async def send(asked: Notification, sub: Annotated[str, Depends(caller)]) -> dict[str, object]:
        id_ = uuid.uuid4()
        at = await pools[0].fetchval(
            INSERT, id_, sub, asked.channel, asked.to, asked.user_id, asked.subject, asked.body, asked.lane
        )
        return {"id": id_, "status": "accepted", "channel": asked.channel, "lane": asked.lane, "created_at": at}

    return served


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True)
    given = parser.parse_args()
    uvicorn.run(
        app(given.database, os.environ["JWT_SECRET"]),
        host="127.0.0.1",
        port=given.port,
        http="httptools",
        loop="uvloop",
        access_log=False,
        log_level="warning",
        server_header=False,
    )


if __name__ == "__main__":
    main()
