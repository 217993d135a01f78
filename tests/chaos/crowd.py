"""People who do everything to everything at once, at whichever gateway lives; what is answered wrongly is kept."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from kit.clock import utc_now
from tests.journeys.stack import Stack

PEOPLE = ("ann", "bob", "eve")
GROUPS = ("g0", "g1", "g2")
HOOKS = "/v1/admin/webhooks"
NOWHERE = {"url": "http://127.0.0.1:9099/hook"}
NEWEST = 60
"""So many of the newest notifications are changed: what is old has ended."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was accepted: under which id, by whom, with which body and key."""

    id: str
    user: str
    body: dict[str, Any]
    key: str


@dataclass
class Crowd:
    """Each method is one thing that somebody does; `work` does them until it is told to end."""

    stack: Stack
    seen: Counter[tuple[str, str | int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    over: bool = False

    async def work(self, askers: int, changers: int) -> None:
        """Returns when all have done what they were at."""
        jobs = [self._again(self.ask) for _ in range(askers)] + [self._again(self.change) for _ in range(changers)]
        await asyncio.gather(*jobs, self._again(self.wire_hooks), self._again(self.say_who_they_are))

    async def _again(self, what: Any) -> None:
        while not self.over:
            await what()

    async def call(
        self, what: str, method: str, path: str, user: str, admin: bool = False, **more: Any
    ) -> httpx.Response | None:
        """None where the gateway died over it. What is an error must be one that says when to come back."""
        alive = [one for one in self.stack.of("gateway") if one.alive]
        if not alive:
            await asyncio.sleep(0.1)
            return None
        token = self.stack.token(user, admin=admin)
        headers = {"Authorization": f"Bearer {token}"} | more.pop("headers", {})
        url = f"http://127.0.0.1:{random.choice(alive).port}{path}"
        try:
            answer = await self.stack.http.request(method, url, headers=headers, **more)
        except httpx.TransportError as error:
            self.seen[what, type(error).__name__] += 1
            if isinstance(error, httpx.TimeoutException):
                self.wrong.append(f"{what}: {error!r}")
            return None
        self.seen[what, answer.status_code] += 1
        if answer.status_code >= 500 and not (answer.status_code == 503 and "retry-after" in answer.headers):
            self.wrong.append(f"{what}: {answer.status_code} {answer.text[:300]}")
        return answer

    async def ask(self) -> None:
        """One notification, sometimes by two at once, until it is accepted."""
        user, body, key = random.choice(PEOPLE), _some_body(), str(uuid4())
        query = random.choice(("", "", "", "?wait=1"))
        for _ in range(200):
            jobs = [
                self.call("ask", "POST", f"/v1/notifications{query}", user, json=body, headers={"Idempotency-Key": key})
                for _ in range(random.choice((1, 1, 2)))
            ]
            answers = await asyncio.gather(*jobs)
            ids = {answer.json()["id"] for answer in answers if answer is not None and answer.status_code == 202}
            if ids:
                self.asked.append(Asked(ids.pop(), user, body, key))
                self.wrong += [f"two ids of one key: {id}" for id in ids]
                return
            await asyncio.sleep(0.2)
        self.wrong.append(f"never accepted: {body}")

    async def change(self) -> None:
        """Something is done with one of those that are there, or with many."""
        if not self.asked:
            await asyncio.sleep(0.05)
            return
        one, person, group = random.choice(self.asked[-NEWEST:]), random.choice(PEOPLE), random.choice(GROUPS)
        reader = one.body.get("user_id", one.user)
        notification, entry = f"/v1/notifications/{one.id}", f"/v1/inbox/{one.id}"
        what, method, path, user, json = random.choice(
            (
                ("cancel", "DELETE", notification, one.user, None),
                ("move", "PATCH", notification, one.user, {"send_at": _soon(3)}),
                ("see", "GET", notification, one.user, None),
                ("recall", "DELETE", entry, one.user, None),
                ("rewrite", "PUT", entry, one.user, {"title": f"t{random.randint(0, 3)}"}),
                ("rewrite group", "PUT", f"/v1/inbox?group={group}", one.user, {"title": uuid4().hex}),
                ("read", "POST", f"{entry}/read", reader, None),
                ("unread", "POST", f"{entry}/unread", reader, None),
                ("archive", "POST", f"{entry}/archive", reader, None),
                ("unarchive", "POST", f"{entry}/unarchive", reader, None),
                ("read all", "POST", "/v1/inbox/read-all", person, None),
                ("look", "GET", "/v1/inbox?limit=5", person, None),
                ("ticket", "POST", "/v1/stream/tickets", person, None),
                ("repeat", "POST", "/v1/notifications", one.user, one.body),
                ("another body", "POST", "/v1/notifications", one.user, one.body | {"body": uuid4().hex}),
                random.choice(
                    (
                        ("cancel group", "DELETE", f"/v1/notifications?group={group}", one.user, None),
                        ("recall group", "DELETE", f"/v1/inbox?group={group}", one.user, None),
                    )
                ),
            )
        )
        keyed = {"Idempotency-Key": one.key} if what in ("repeat", "another body") else {}
        answer = await self.call(what, method, path, user, json=json, headers=keyed)
        if answer is not None and answer.status_code not in (503, 429):
            self._check(what, one, answer)

    def _check(self, what: str, one: Asked, answer: httpx.Response) -> None:
        """One key is one notification, whatever else goes on."""
        if what == "repeat" and (answer.status_code, answer.json().get("id")) != (202, one.id):
            self.wrong.append(f"a repeat of {one.id}: {answer.status_code} {answer.text[:200]}")
        if what == "another body" and answer.status_code != 422:
            self.wrong.append(f"another body of {one.id}: {answer.status_code} {answer.text[:200]}")

    async def wire_hooks(self) -> None:
        """A webhook is made, changed by several at once, and deleted while they are at it."""
        made = await self.call("make hook", "POST", HOOKS, "root", admin=True, json=NOWHERE)
        if made is None or made.status_code != 201:
            await asyncio.sleep(0.3)
            return
        where = f"{HOOKS}/{made.json()['id']}"
        since = {"since": "2026-01-01T00:00:00Z"}
        jobs = [
            self.call("disable hook", "PUT", where, "root", admin=True, json=NOWHERE | {"enabled": False}),
            self.call("enable hook", "PUT", where, "root", admin=True, json=NOWHERE),
            self.call("rotate hook", "POST", f"{where}/rotate", "root", admin=True),
            self.call("try hook", "POST", f"{where}/test?wait=0.2", "root", admin=True),
            self.call("replay hook", "POST", f"{where}/replay", "root", admin=True, json=since),
            self.call("delete hook", "DELETE", where, "root", admin=True),
        ]
        random.shuffle(jobs)
        await asyncio.gather(*jobs)
        await self.call("delete hook", "DELETE", where, "root", admin=True)

    async def say_who_they_are(self) -> None:
        """The directory changes, too."""
        user = random.choice(PEOPLE)
        where = f"/v1/recipients/{user}"
        await self.call("recipient", "PUT", where, user, json={"email": f"{user}@example.com"})
        await self.call("wishes", "PUT", f"{where}/preferences", user, json={"categories": {"news": {"email": False}}})


def _some_body() -> dict[str, Any]:
    bell = {"channel": "inapp", "user_id": random.choice(PEOPLE), "subject": "s", "body": "b"}
    mail = {"channel": "email", "to": f"{uuid4().hex}@example.com", "subject": "s", "body": "b"}
    both = {key: value for key, value in bell.items() if key != "channel"} | {"channels": ["inapp", "email"]}
    body: dict[str, Any] = random.choice(
        (bell, bell, mail, both, bell | {"escalate": [{"after_seconds": 1, "channel": "email"}]})
    )
    later = {"send_at": _soon(4)} if random.random() < 0.2 else {}
    group = {"group": random.choice(GROUPS)} if random.random() < 0.4 else {}
    return body | later | group | ({"collapse_key": "c"} if random.random() < 0.1 else {})


def _soon(seconds: float) -> str:
    at: datetime = utc_now() + timedelta(seconds=random.uniform(0, seconds))
    return at.isoformat()
