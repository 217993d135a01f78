"""What the bell in a page shows."""

from __future__ import annotations

from tests.web.browser import Page
from tests.web.conftest import BELL, ROOT

TITLES = f"[...{ROOT}.querySelectorAll('li b')].map((one) => one.textContent)"
UNREAD = f"{BELL}.unread"
OPEN = f"{ROOT}.querySelector('.bell').click()"


async def titles(page: Page, *expected: str) -> None:
    """Waits until the list shows these, the newest first."""
    await page.shows(TITLES, list(expected))


async def unread(page: Page, count: int) -> None:
    await page.shows(UNREAD, count)


def item(title: str, part: str) -> str:
    """A part of the entry with this title."""
    return f"""[...{ROOT}.querySelectorAll('li')].find((one) =>
        one.querySelector('b').textContent === {title!r}).querySelector({part!r})"""
