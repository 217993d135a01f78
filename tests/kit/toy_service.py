"""A service made of toys, to see what the shell does: `python -m tests.kit.toy_service KIND [PORT [GRACE [TAIL]]]`."""

from __future__ import annotations

import asyncio
import socket
import sys
import time

from kit import logs
from kit.postgres import Database
from kit.service import Loop, Parts, run
from kit.settings import Settings, need

log = logs.get("toy")
KIND = sys.argv[1]


class Toy:
    """A part that says what is done with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = False

    async def start(self) -> None:
        log.info("toy_started", toy=self.name)
        self.ready = True

    async def stop(self) -> None:
        log.info("toy_stopped", toy=self.name)


class Stubborn(Toy):
    async def stop(self) -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                log.info("toy_does_not_care", toy=self.name)


class Blocking(Toy):
    async def stop(self) -> None:
        time.sleep(60)  # noqa: ASYNC251 (that is the point)


class Broken(Toy):
    async def stop(self) -> None:
        raise RuntimeError("cannot stop for alice@example.org")


class Pool:
    """Something that is open already."""

    async def close(self) -> None:
        log.info("toy_stopped", toy="pool")


async def mortal() -> None:
    await asyncio.to_thread(sys.stdin.readline)
    raise RuntimeError("died of alice@example.org")


async def finite() -> None:
    await asyncio.sleep(0.05)


async def answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def build(settings: Settings) -> Parts:
    parts = Parts("intake")
    parts.add("pool", Pool())
    parts.add("first", Toy("first"))
    match KIND:
        case "stubborn":
            parts.add("stubborn", Stubborn("stubborn"))
        case "blocking":
            parts.add("blocking", Blocking("blocking"))
        case "broken":
            parts.add("broken", Broken("broken"))
        case "mortal":
            parts.add("mortal", Loop(mortal))
        case "finite":
            parts.add("finite", Loop(finite))
        case "unready":
            parts.health.ready_when("never", lambda: False)
        case "watching":
            parts.watch("server", lambda: answers(int(sys.argv[2])))
        case "waiting":
            parts.add("caller", Caller())
        case "database":
            parts.add("database", await Database.open(settings.database_url, "intake"))
            async with parts.all[-1].part.connection() as connection:  # type: ignore[union-attr]
                await connection.execute("select 1")
        case "needy":
            need(settings.link_secret, "TOCSIN_LINK_SECRET")
        case "failing":
            raise RuntimeError("cannot be built")
    parts.add("last", Toy("last"))
    return parts


class Caller(Toy):
    """A part that needs a server at its start."""

    def __init__(self) -> None:
        super().__init__("caller")

    async def start(self) -> None:
        socket.create_connection(("127.0.0.1", int(sys.argv[2])), timeout=1).close()
        await super().start()


if __name__ == "__main__":
    limits = dict(zip(("grace", "tail"), map(float, sys.argv[3:]), strict=False))
    run("intake", build, **limits)
