"""Debian's Chromium, driven through its DevTools protocol: what a person would do, and what is on the screen then."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from kit.clock import monotonic
from tests.needs import listed
from tests.waiting import PATIENCE, until

FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-port=0",
)


class ScriptFailed(AssertionError):
    """What was run in a page has thrown."""


class Page:
    """One tab."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser = browser
        self._target = target
        self._session = session
        self.errors: list[str] = []
        """What the console calls an error, broken rules of the Content-Security-Policy among them."""

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol."""
        return await self._browser.call(method, self._session, **parameters)

    async def goto(self, url: str) -> None:
        """Opens an address, and returns when it is loaded."""
        loaded = self._browser.event("Page.loadEventFired", self._session)
        await self.call("Page.navigate", url=url)
        await asyncio.wait_for(loaded, PATIENCE)

    async def js(self, script: str) -> Any:
        """The value of an expression; of a promise what it comes to."""
        answer = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise ScriptFailed(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Returns once an expression is true."""
        await self.shows(f"!!({script})", True)

    async def shows(self, script: str, expected: object, seconds: float = PATIENCE) -> None:
        """Returns once an expression has this value."""
        deadline = monotonic() + seconds
        while (value := await self.js(script)) != expected:
            assert monotonic() < deadline, f"{script} is {value!r}, not {expected!r}; errors: {self.errors}"
            await asyncio.sleep(0.03)

    async def press(self, key: str, code: int = 0, text: str = "") -> None:
        """A key of the keyboard, as if a finger did it."""
        for kind in ("keyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text
            )

    async def look(self, path: Path) -> None:
        """A picture of what is on the screen."""
        shot = await self.call("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(shot["data"]))

    async def screen(self, width: int, height: int, *, dark: bool = False, mobile: bool = False) -> None:
        """The size of the window, and what the person likes."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[feature])

    async def close(self) -> None:
        """Shuts the tab."""
        await self._browser.call("Target.closeTarget", targetId=self._target)


class Browser:
    """A Chromium, with a profile of its own: whoever was there before has left nothing."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._profile: dict[str, str] = {}
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._awaited: list[tuple[str, str, asyncio.Future[None]]] = []
        self._pages: dict[str, Page] = {}

    async def begin(self) -> None:
        """A profile in which nobody has been; its tabs are shut when we are gone."""
        made = await self.call("Target.createBrowserContext", disposeOnDetach=True)
        self._profile = {"browserContextId": made["browserContextId"]}

    async def end(self) -> None:
        """Shuts its tabs, and forgets what was in them."""
        await self.call("Target.disposeBrowserContext", **self._profile)

    async def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """A command, and its answer."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(message | ({"sessionId": session} if session else {}))
        said = await asyncio.wait_for(answer, PATIENCE)
        if "error" in said:
            raise ScriptFailed(f"{method}: {said['error']}")
        result: dict[str, Any] = said["result"]
        return result

    def event(self, method: str, session: str) -> asyncio.Future[None]:
        """The next event of this name."""
        happened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.append((method, session, happened))
        return happened

    async def page(self, prepared: str = "") -> Page:
        """A new tab; `prepared` runs in it before anything of a page does."""
        target = (await self.call("Target.createTarget", url="about:blank", **self._profile))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = self._pages[session] = Page(self, target, session)
        for domain in ("Page", "Runtime", "Log"):
            await page.call(f"{domain}.enable")
        if prepared:
            await page.call("Page.addScriptToEvaluateOnNewDocument", source=prepared)
        return page

    async def allow(self, origin: str, setting: str) -> None:
        """Whether pages of this origin may show notifications: granted, denied or prompt."""
        permission = {"name": "notifications"}
        await self.call("Browser.setPermission", permission=permission, setting=setting, origin=origin, **self._profile)

    async def hear(self) -> None:
        """Reads what the browser says, for as long as it runs."""
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                waiting = self._answers.pop(said["id"])
                if not waiting.done():
                    waiting.set_result(said)
            else:
                self._happened(said.get("sessionId", ""), said["method"], said["params"])

    def _happened(self, session: str, method: str, told: dict[str, Any]) -> None:
        for awaited in [one for one in self._awaited if one[:2] == (method, session) and not one[2].done()]:
            awaited[2].set_result(None)
        page = self._pages.get(session)
        if page and method == "Log.entryAdded" and told["entry"]["level"] == "error":
            page.errors.append(told["entry"]["text"])
        if page and method == "Runtime.exceptionThrown":
            page.errors.append(json.dumps(told["exceptionDetails"])[:500])


@contextmanager
def chromium(folder: Path, look_after: Callable[[int], object]) -> Iterator[str]:
    """A Chromium without a window; the address at which it is told what to do."""
    command = next(name for name in listed()["chromium"].commands if shutil.which(name))
    profile = folder / "profile"
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [command, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    look_after(process.pid)
    try:
        told = profile / "DevToolsActivePort"
        until(lambda: told.exists() and len(told.read_text().split()) == 2)
        port, path = told.read_text().split()
        yield f"ws://127.0.0.1:{port}{path}"
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def browsing(address: str) -> AsyncIterator[Browser]:
    """A profile of a test's own in the browser that runs there."""
    async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
        browser = Browser(socket)
        hearing = asyncio.create_task(browser.hear())
        try:
            await browser.begin()
            yield browser
            await browser.end()
        finally:
            hearing.cancel()
