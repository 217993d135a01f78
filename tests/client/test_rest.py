"""The REST client against a real gateway, and against what may stand in its place."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
import pytest_asyncio

from client.aio import AsyncTocsin
from client.calls import LONGEST_PAUSE, pause
from client.errors import NotFound, NotYet, Refused, Strange, TokenRefused, Unavailable, Unreachable
from client.rest import Tocsin
from client.schedules import Schedules
from deploy.local.ports import free_port
from kit.clock import utc_now
from tests import servers as real
from tests.journeys.stack import Stack

gateway = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(session: real.Session, kafka_address: str, postgres_url: str, template: str) -> AsyncIterator[Stack]:
    """A gateway, and nobody behind it."""
    kafka = real.kafka_settings(kafka_address)
    async with real.copied_database(postgres_url, template) as database:
        folder = session.new_folder("client")
        async with Stack(kafka, database, folder, session.look_after, services=("gateway",)) as stack:
            yield stack
    await real.delete_topics(kafka)


def client(stack: Stack, user: str = "alice") -> Tocsin:
    return Tocsin(stack.url + "/", stack.token(user))


def bell(tocsin: Tocsin, **more: Any) -> Any:
    return tocsin.notify(channel="inapp", user_id="bob", subject="Hello", body="A bell", **more)


@gateway
async def test_what_was_asked_for_is_found_again(stack: Stack) -> None:
    def ask() -> None:
        with client(stack) as tocsin:
            due = utc_now() + timedelta(hours=1)
            taken = bell(tocsin, send_at=due, metadata={"order": "77"})
            seen = tocsin.get(taken.id)
            assert (taken.status, seen.channel, seen.user_id) == ("accepted", "inapp", "bob")
            assert seen.send_at and abs(seen.send_at - due) < timedelta(milliseconds=1)
            assert not seen.has_ended and not seen.was_sent
            assert tocsin.cancel(taken.id).id == taken.id

    await asyncio.to_thread(ask)


@gateway
async def test_a_key_names_one_notification_and_no_key_each_call(stack: Stack) -> None:
    def ask() -> None:
        with client(stack) as tocsin:
            assert bell(tocsin, key="k").id == bell(tocsin, key="k").id
            assert bell(tocsin).id != bell(tocsin).id
            with pytest.raises(Refused) as refused:
                tocsin.notify(channel="inapp", user_id="bob", body="Another", key="k")
            assert (refused.value.status, refused.value.code) == (422, "idempotency_conflict")

    await asyncio.to_thread(ask)


@gateway
async def test_each_of_a_batch_has_its_own_fate(stack: Stack) -> None:
    def ask() -> None:
        with client(stack) as tocsin:
            good, bad = tocsin.batch([{"channel": "inapp", "user_id": "bob", "body": "b"}, {"channel": "inapp"}])
            assert good.id and not good.error
            assert bad.error and not bad.id

    await asyncio.to_thread(ask)


@gateway
async def test_refusals_say_what_is_wrong(stack: Stack) -> None:
    def ask() -> None:
        with client(stack) as tocsin:
            with pytest.raises(Refused, match="to: is not an email address") as refused:
                tocsin.notify(channel="email", to="nobody", subject="s", body="b")
            assert [field for field, _ in refused.value.errors] == ["to"]
            with pytest.raises(NotFound):
                tocsin.get("no id")
            with pytest.raises(NotYet, match="is still accepted after 0 s: it goes on by itself"):
                tocsin.wait(bell(tocsin).id, seconds=0)
        with client(stack, "carol") as other, pytest.raises(NotFound):
            other.get(bell(client(stack)).id)
        with Tocsin(stack.url, "nonsense") as stranger, pytest.raises(TokenRefused, match="tocsin token"):
            bell(stranger)

    await asyncio.to_thread(ask)


def test_nobody_there_is_said_with_the_address() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Tocsin(url, "token") as tocsin, pytest.raises(Unreachable, match=f"no answer from {url}"):
        bell(tocsin)
    with pytest.raises(Unreachable):
        Tocsin("http://127.0.0.1:nine", "token")


@contextmanager
def answering(*answers: tuple[int, bytes], after: float = 0) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn, `after` so many seconds, the last one for ever; its address, and the
    keys that it was sent."""
    keys: list[str] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            keys.append(self.headers["Idempotency-Key"])
            status, body = answers[min(len(keys), len(answers)) - 1]
            over.wait(after)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", keys
        finally:
            over.set()
            server.shutdown()
            thread.join()


AWAY = (503, json.dumps({"code": "unavailable", "detail": "the database is not available"}).encode())
TAKEN = (202, json.dumps({"id": "1", "status": "accepted", "of_a_newer_gateway": True}).encode())


def test_what_is_away_for_a_moment_is_asked_again_with_the_same_key() -> None:
    with answering(AWAY, TAKEN) as (url, keys), Tocsin(url, "token") as tocsin:
        assert bell(tocsin).id == "1"
    assert len(keys) == 2 and len(set(keys)) == 1


def test_an_outcome_is_waited_for_longer_than_an_answer() -> None:
    """The gateway takes its time because it was asked to: that is not a gateway that is away."""
    with answering(TAKEN, after=0.6) as (url, keys), Tocsin(url, "token", timeout=0.2) as tocsin:
        assert bell(tocsin, wait=30).id == "1"
    assert len(keys) == 1


async def test_an_outcome_is_awaited_longer_than_an_answer() -> None:
    with answering(TAKEN, after=0.6) as (url, keys):
        async with AsyncTocsin(url, "token", timeout=0.2) as tocsin:
            assert (await tocsin.notify(channel="inapp", user_id="bob", body="A bell", wait=30)).id == "1"
    assert len(keys) == 1


@pytest.mark.parametrize("key", ["", "commande n° 7", "a\nb", "k" * 256])
def test_a_key_that_no_header_can_carry_is_refused_and_not_replaced(key: str) -> None:
    with answering(TAKEN) as (url, keys), Tocsin(url, "token") as tocsin:
        schedules = Schedules(tocsin)
        for ask in (partial(bell, tocsin), schedules.create, partial(schedules.run, "1")):
            with pytest.raises(Refused, match="Idempotency-Key: is a text of 1 to 255 characters of ASCII") as refused:
                ask(key=key)
            assert refused.value.code == "validation_failed"
    assert keys == []


def test_what_stays_away_is_said() -> None:
    with answering(AWAY) as (url, keys), Tocsin(url, "token") as tocsin:
        with pytest.raises(Unavailable, match="the database is not available"):
            bell(tocsin)
    assert len(keys) == 3


@pytest.mark.parametrize("answer", [(200, b"<html>"), (202, b"{}")])
def test_something_else_on_that_port_is_noticed(answer: tuple[int, bytes]) -> None:
    with answering(answer) as (url, _), Tocsin(url, "token") as tocsin, pytest.raises(Strange, match="is not Tocsin"):
        bell(tocsin)


@pytest.mark.parametrize("body", [b"<html>", b'{"errors": 1}', b'{"errors": true, "code": []}'])
def test_a_proxy_in_between_may_answer_what_it_likes(body: bytes) -> None:
    with answering((502, body)) as (url, _), Tocsin(url, "token") as tocsin:
        with pytest.raises(Refused, match=r"bad gateway \(status 502\)"):
            bell(tocsin)


@pytest.mark.parametrize(
    ("asked", "seconds"), [("1", 1.0), ("0", 0.2), ("3600", LONGEST_PAUSE), ("soon", 0.2), ("", 0.2), ("-1", 0.2)]
)
def test_who_is_asked_to_wait_waits(asked: str, seconds: float) -> None:
    assert pause(httpx.Response(503, headers={"Retry-After": asked}), 0.2) == seconds
