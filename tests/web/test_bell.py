"""The bell in a real browser: what a person sees, hears and can do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.gateway.conftest import ALICE
from tests.web.bell import OPEN, item, titles, unread
from tests.web.browser import Page
from tests.web.conftest import BELL, ROOT, Desk

pytestmark = pytest.mark.needs("chromium")


async def test_what_arrives_is_shown_without_reloading(desk: Desk) -> None:
    page = await desk.person()
    await desk.send("first")
    await unread(page, 1)
    assert await page.js(f"{ROOT}.querySelector('.badge').textContent") == "1"
    assert await page.js(f"{ROOT}.querySelector('.bell').ariaLabel") == "Notifications, 1 unread"
    await page.js(OPEN)
    await titles(page, "first")
    await desk.send("second")
    await titles(page, "second", "first")
    assert await page.js(f"{ROOT}.querySelector('[role=status].aside').textContent") == "second"
    assert page.errors == []


async def test_read_archived_and_all_read(desk: Desk) -> None:
    page = await desk.person()
    for title in ("one", "two", "three"):
        await desk.send(title)
    await unread(page, 3)
    await page.js(OPEN)
    await titles(page, "three", "two", "one")
    await page.js(item("two", ".main") + ".click()")
    await unread(page, 2)
    await page.js(item("one", ".act") + ".click()")
    await titles(page, "three", "two")
    await unread(page, 1)
    await page.js(f"{ROOT}.querySelector('header .link').click()")
    await unread(page, 0)
    await page.until(f"!{ROOT}.querySelector('li.new')")
    await page.goto(f"{desk.url}/demo")
    await page.until(f"{BELL}.token && {ROOT}.querySelector('.badge').hidden")
    await page.js(OPEN)
    await titles(page, "three", "two")


NO_STREAM = """
globalThis.WebSocket = class { constructor() { setTimeout(() => this.onclose({ code: 1006 })); } close() {} };
document.querySelector("tocsin-bell").token = document.querySelector("tocsin-bell").token;
"""
"""A house whose proxy lets no stream through, from the first try on."""


async def test_all_read_where_no_stream_ever_came_up(desk: Desk) -> None:
    """The list says what is seen, and shows what became of it; opened again, it is looked at anew."""
    page = await desk.person()
    await page.js(NO_STREAM)
    await page.js(OPEN)
    await page.until(f"!{ROOT}.querySelector('.empty').hidden")
    other = await desk.person()
    for title in ("one", "two"):
        await desk.send(title)
    await unread(other, 2)
    await page.js(OPEN)
    await page.js(OPEN)
    await titles(page, "two", "one")
    await unread(page, 2)
    await page.js(f"{ROOT}.querySelector('header .link').click()")
    await unread(page, 0)
    await page.until(f"!{ROOT}.querySelector('li.new')")
    await page.until(f"{ROOT}.querySelector('header .link').hidden")


async def test_a_restart_of_the_gateway_loses_nothing(desk: Desk) -> None:
    """What came while nobody was there is shown once it is back, in order and none twice."""
    page = await desk.person()
    await desk.send("before")
    await page.js(OPEN)
    await titles(page, "before")
    await desk.stop()
    await page.until(f"{ROOT}.querySelector('.note').textContent.startsWith('Connection lost')")
    for title in ("during 1", "during 2"):
        await desk.send(title)
    await desk.start()
    await titles(page, "during 2", "during 1", "before")
    await page.until(f"{ROOT}.querySelector('.note').hidden")
    assert [hello["recovered"] for hello in await page.js("hellos")] == [False, True]
    await desk.send("after")
    await titles(page, "after", "during 2", "during 1", "before")


async def test_two_tabs_show_the_same(desk: Desk) -> None:
    here, there = await desk.person(), await desk.person()
    for page in (here, there):
        await page.js(OPEN)
    await desk.send("both")
    for page in (here, there):
        await titles(page, "both")
    await here.js(item("both", ".main") + ".click()")
    await unread(there, 0)
    await there.js(item("both", ".act") + ".click()")
    await titles(here)
    await here.until(f"!{ROOT}.querySelector('.empty').hidden")


async def test_what_the_sender_takes_back_is_gone(desk: Desk) -> None:
    page = await desk.person()
    kept, gone = await desk.send("kept"), await desk.send("gone")
    await page.js(OPEN)
    await titles(page, "gone", "kept")
    assert desk.gateway
    who = {"Authorization": f"Bearer {await page.js('document.querySelector(`tocsin-bell`).token()')}"}
    assert (await desk.gateway.http.delete(f"/v1/inbox/{gone}", headers=who)).status_code == 403
    await desk.gateway.http.delete(f"/v1/inbox/{gone}", headers=ALICE)
    await titles(page, "kept")
    await desk.gateway.http.put(f"/v1/inbox/{kept}", json={"title": "better"}, headers=ALICE)
    await titles(page, "better")
    await unread(page, 1)


NASTY = [
    "<img src=x onerror=alert(1)>",
    "</b><script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
    '" onmouseover="alert(1)',
    "&lt;img src=x onerror=alert(1)&gt;",
    "\u202egnp.exe",
]


LINKS = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "blob:https://x/1",
    "file:///etc/passwd",
    "http://[",
    {"toString": "javascript:alert(1)"},
    ["javascript:alert(1)"],
    1,
]


WATCH = "window.ran = 0; window.alert = () => { window.ran++; };"


async def test_whatever_it_says_is_shown_as_text(desk: Desk) -> None:
    page = await desk.person(prepared=WATCH)
    for text in NASTY:
        await desk.send(text, text, data={"html": text, "url": f"https://example.org/?q={text}"})
    await page.js(OPEN)
    await titles(page, *reversed(NASTY))
    bodies = f"[...{ROOT}.querySelectorAll('li .body')].map((one) => one.textContent)"
    assert await page.js(bodies) == NASTY[::-1]
    assert await page.js(f"{ROOT}.querySelectorAll('li :is(img, script, svg svg, iframe)').length") == 0
    assert await page.js("window.ran") == 0
    assert page.errors == []


async def test_no_link_leads_into_a_script(desk: Desk) -> None:
    page = await desk.person(prepared=WATCH)
    for n, url in enumerate(LINKS):
        await desk.send(f"link {n}", data={"url": url})
    await desk.send("good", data={"url": "/docs"})
    await page.js(OPEN)
    await titles(page, "good", *(f"link {n}" for n in reversed(range(len(LINKS)))))
    links = f"[...{ROOT}.querySelectorAll('li a')].map((one) => [one.href, one.target, one.rel])"
    assert await page.js(links) == [[f"{desk.url}/docs", "_blank", "noopener noreferrer"]]
    await page.js(f"[...{ROOT}.querySelectorAll('li button.main')].forEach((one) => one.click())")
    await unread(page, 1)
    assert await page.js("window.ran") == 0


SHOWN = """
window.shown = [];
Object.defineProperty(document, "hidden", { get: () => true });
const Real = window.Notification;
window.Notification = class extends Real {
  constructor(title, rest) { super(title, rest); shown.push([title, rest.tag]); }
};
"""


async def shown(page: Page) -> Any:
    return await page.js("window.shown")


async def test_the_device_shows_it_where_the_person_allows(desk: Desk) -> None:
    """Only while nobody looks at the page, and under one tag for all tabs."""
    await desk.browser.allow(desk.url, "granted")
    page = await desk.person(prepared=SHOWN)
    id = await desk.send("hello")
    await page.until("window.shown.length === 1")
    assert await shown(page) == [["hello", str(id)]]
    await page.js(OPEN)
    assert await page.js(f"{ROOT}.querySelectorAll('.note')[1].hidden") is True


async def test_where_it_is_denied_the_bell_works_on(desk: Desk) -> None:
    await desk.browser.allow(desk.url, "denied")
    page = await desk.person(prepared=SHOWN)
    await desk.send("hello")
    await unread(page, 1)
    await page.js(OPEN)
    await titles(page, "hello")
    assert await page.js(f"{ROOT}.querySelectorAll('.note')[1].hidden") is True
    assert await shown(page) == []
    assert page.errors == []


async def test_all_of_it_by_keyboard(desk: Desk) -> None:
    page = await desk.person()
    for title in ("one", "two", "three"):
        await desk.send(title)
    await unread(page, 3)
    await page.js(f"{ROOT}.querySelector('.bell').focus()")
    await page.press("Enter", 13, "\r")
    await titles(page, "three", "two", "one")
    focus = f"{ROOT}.activeElement.querySelector('b')?.textContent"
    for key, code, expected in (
        ("ArrowDown", 40, "three"),
        ("ArrowDown", 40, "two"),
        ("End", 35, "one"),
        ("ArrowUp", 38, "two"),
        ("Home", 36, "three"),
    ):
        await page.press(key, code)
        assert await page.js(focus) == expected
    await page.press("Enter", 13, "\r")
    await unread(page, 2)
    assert await page.js(focus) == "three"
    await page.press("Tab", 9)
    assert await page.js(f"{ROOT}.activeElement.ariaLabel") == "Archive: three"
    await page.press("Enter", 13, "\r")
    await titles(page, "two", "one")
    assert await page.js(focus) == "two"
    await page.press("Escape", 27)
    await page.shows(f"{ROOT}.activeElement?.className", "bell")
    assert await page.js(f"{ROOT}.querySelector('.panel').matches(':popover-open')") is False


async def test_older_ones_come_page_by_page(desk: Desk) -> None:
    page = await desk.person()
    for n in range(45):
        await desk.send(f"n{n}")
    await unread(page, 45)
    await page.js(OPEN)
    for last in (24, 4, -1):
        await titles(page, *(f"n{n}" for n in range(44, last, -1)))
        await page.js(f"{ROOT}.querySelector('.more').click()")
    await page.until(f"{ROOT}.querySelector('.more').hidden")


async def test_it_speaks_french(desk: Desk) -> None:
    page = await desk.person(lang="fr")
    await desk.send("Bonjour")
    await unread(page, 1)
    assert await page.js(f"{ROOT}.querySelector('.bell').ariaLabel") == "Notifications, 1 non lue"
    await page.js(OPEN)
    await titles(page, "Bonjour")
    assert await page.js(f"{ROOT}.querySelector('header .link').textContent") == "Tout marquer comme lu"
    assert await page.js(f"{ROOT}.querySelector('time').textContent") == "maintenant"


@pytest.mark.parametrize("lang", ["fr_FR", "fr-", "français"])
async def test_a_language_that_is_written_wrongly_hides_nothing(desk: Desk, lang: str) -> None:
    """Many a page says `fr_FR`, which no browser takes for a language."""
    page = await desk.person(lang="fr")
    await page.js(f"{BELL}.setAttribute('lang', {lang!r})")
    await desk.send("Bonjour")
    await page.js(OPEN)
    await titles(page, "Bonjour")
    assert page.errors == []


async def test_what_a_screen_reader_is_told(desk: Desk) -> None:
    page = await desk.person()
    await desk.send("one", "its text")
    await unread(page, 1)
    await page.js(OPEN)
    await titles(page, "one")
    tree = (await page.call("Accessibility.getFullAXTree"))["nodes"]
    said = {(node["role"]["value"], node["name"]["value"]) for node in tree if not node["ignored"] and "name" in node}
    assert {
        ("button", "Notifications, 1 unread"),
        ("dialog", "Notifications"),
        ("heading", "Notifications"),
        ("button", "Mark all as read"),
        ("button", "Unread one its text now"),
        ("button", "Archive: one"),
    } <= said
