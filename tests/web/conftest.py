"""A person before a browser, a gateway behind it, and somebody who sends to that person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from contracts import events as e
from contracts.topics import INTAKE
from deploy.local.ports import free_port
from kit.settings import KafkaSettings, Settings
from kit.web_server import WebServer
from tests import servers
from tests.services.gateway.conftest import due_of, settings_of
from tests.services.gateway.support import Gateway, Others, others, running
from tests.web.browser import Browser, Page, browsing, chromium

BELL = "document.querySelector('tocsin-bell')"
ROOT = f"{BELL}.shadowRoot"
GREETED = """
window.hellos = [];
window.WebSocket = class extends WebSocket {
  constructor(url) {
    super(url);
    this.addEventListener("message", ({ data }) => { if (data.includes('"hello"')) hellos.push(JSON.parse(data)); });
  }
};
"""
"""Notes in the page whenever its stream has begun."""
ELSEWHERE = """<!doctype html><html lang="fr"><title>Elsewhere</title><link rel="icon" href="data:,">
<script type="module" src="{url}/bell/tocsin-bell.js"></script><tocsin-bell></tocsin-bell>"""
"""A page of another site."""
PICTURES = servers.ROOT / ".tocsin" / "pictures"


@dataclass
class Desk:
    """The gateway of these tests, always at the same address, and what a browser shows of it."""

    settings: Settings
    browser: Browser
    others: Others
    port: int
    site: int
    """The port of another site, whose pages may show the bell."""
    gateway: Gateway | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """The gateway starts, or starts again."""
        self.gateway = await self._stack.enter_async_context(running(self.settings, self.port))

    async def stop(self) -> None:
        """The gateway stops in good order."""
        self.gateway = None
        await self._stack.aclose()

    async def send(self, title: str, body: str = "text", user: str = "bob", **content: Any) -> UUID:
        """Somebody's in-app notification is due."""
        id = uuid4()
        shown = e.Content(subject=title, text=body, **content)
        await self.others.say(due_of(id, user, content=shown))
        return id

    @asynccontextmanager
    async def elsewhere(self, port: int) -> AsyncIterator[str]:
        """Another site with the bell on its page; its address."""
        page = HTMLResponse(ELSEWHERE.format(url=self.url))
        server = WebServer(Starlette(routes=[Route("/", lambda _: page)]), "127.0.0.1", port, "of no setting")
        await server.start()
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            await server.stop()

    async def person(self, user: str = "bob", lang: str = "en", prepared: str = "") -> Page:
        """A tab in which this person has come in."""
        page = await self.browser.page(GREETED + prepared)
        await page.goto(f"{self.url}/demo?lang={lang}")
        await page.until("!document.getElementById('enter').hidden")
        await page.js(f"document.querySelector('#sign-in input').value = '{user}'")
        await page.js("document.querySelector('#sign-in button').click()")
        await page.until("hellos.length")
        return page


@pytest.fixture(scope="module")
def pictures() -> Path:
    """Where pictures of the screen are left for people to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES


@pytest.fixture(scope="session")
def browser_address(session: servers.Session) -> Iterator[str]:
    """One browser for all tests of a worker: its start takes longer than most of them."""
    with chromium(session.new_folder("chromium"), session.look_after) as address:
        yield address


@pytest.fixture
async def desk(kafka: KafkaSettings, database: str, tmp_path: Path, browser_address: str) -> AsyncIterator[Desk]:
    """A gateway that is there, and a browser."""
    async with others(kafka, INTAKE.topics) as rest, browsing(browser_address) as browser:
        port, site = free_port(), free_port()
        listed = [f"http://127.0.0.1:{site}"]
        desk = Desk(settings_of(kafka, database, tmp_path, demo=True, origins=listed), browser, rest, port, site)
        await desk.start()
        try:
            yield desk
        finally:
            await desk.stop()
