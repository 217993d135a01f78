"""What the bell looks like: nothing is cut off or runs over, and pictures are left for people to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.web.browser import Page
from tests.web.conftest import BELL, ROOT, Desk

pytestmark = pytest.mark.needs("chromium")

ENTRIES: list[tuple[str, str, dict[str, Any]]] = [
    ("Welcome to Tocsin", "This is where things reach you.", {}),
    ("Dossier 2026-118 has moved", "It is with the second chamber now. Nothing to do for you.", {"url": "/docs"}),
    (
        "A title that goes on for much longer than anybody would want to read it, as titles of tickets do",
        "And a body of several lines.\nThe second one.\nThe third one.\nThe fourth one.\nThe fifth one, which is cut.",
        {},
    ),
    ("Averyveryveryveryveryveryveryveryveryveryverylongwordwithoutanyplacetobreakit", "x" * 90, {}),
    ("Réunion avancée à 14 h", "Salle 12, et non salle 4. L’ordre du jour est inchangé.", {"url": "/docs"}),
    ("Due tomorrow", "Dossier 2026-121: the answer to the appeal.", {"url": "/docs"}),
]


async def fill(desk: Desk, page: Page) -> None:
    for title, body, data in ENTRIES:
        await desk.send(title, body, data=data)
    await page.shows(f"{BELL}.unread", len(ENTRIES))


async def opened(page: Page) -> None:
    await page.js(f"{BELL}.open()")
    await page.until(f"{ROOT}.querySelector('li, .empty:not([hidden])')")
    await fits(page)


async def fits(page: Page) -> None:
    """The list lies within the window, and nothing in it is wider than itself."""
    box = f"{ROOT}.querySelector('.panel').getBoundingClientRect()"
    assert await page.js(f"{box}.left >= 0 && {box}.right <= innerWidth && {box}.bottom <= innerHeight")
    scroll = f"{ROOT}.querySelector('.scroll')"
    assert await page.js(f"{scroll}.scrollWidth <= {scroll}.clientWidth")
    assert await page.js("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("name", "lang", "screen"),
    [
        ("light", "en", {"width": 1000, "height": 760}),
        ("dark", "en", {"width": 1000, "height": 760, "dark": True}),
        ("french", "fr", {"width": 1000, "height": 760}),
        ("phone", "fr", {"width": 360, "height": 720, "mobile": True}),
        ("phone-dark", "en", {"width": 320, "height": 640, "mobile": True, "dark": True}),
    ],
)
async def test_it_fits(desk: Desk, pictures: Path, name: str, lang: str, screen: dict[str, Any]) -> None:
    page = await desk.person(lang=lang)
    await page.screen(**screen)
    await page.look(pictures / f"page-{name}.png")
    await opened(page)
    await page.look(pictures / f"empty-{name}.png")
    await page.press("Escape", 27)
    await fill(desk, page)
    await page.js(f"{ROOT}.querySelector('.bell').click()")
    await page.shows(f"{ROOT}.querySelectorAll('li').length", len(ENTRIES))
    await page.js(f"{ROOT}.querySelectorAll('li .main')[2].click()")
    await page.shows(f"{BELL}.unread", len(ENTRIES) - 1)
    await fits(page)
    await page.look(pictures / f"some-{name}.png")


async def test_many_fit_too(desk: Desk, pictures: Path) -> None:
    page = await desk.person()
    await page.screen(800, 620)
    for n in range(105):
        await desk.send(f"Number {n}", "One of many.")
    await page.shows(f"{BELL}.unread", 105)
    assert await page.js(f"{ROOT}.querySelector('.badge').textContent") == "99+"
    await opened(page)
    await page.look(pictures / "many.png")
    await page.js(f"{ROOT}.querySelector('.more').scrollIntoView()")
    await page.look(pictures / "many-end.png")
    await desk.stop()
    await page.until(f"!{ROOT}.querySelector('.note').hidden")
    await page.js(f"{ROOT}.querySelector('.scroll').scrollTo(0, 0)")
    await fits(page)
    await page.look(pictures / "away.png")


async def test_who_comes_first_is_asked_for_a_name(desk: Desk, pictures: Path) -> None:
    page = await desk.browser.page()
    await page.screen(1000, 600)
    await page.goto(f"{desk.url}/demo?lang=en")
    await page.until("!document.getElementById('enter').hidden")
    await page.look(pictures / "enter.png")
