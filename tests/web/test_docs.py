"""The page of the API works under its own policy: it draws itself, and what is tried on it is answered."""

from __future__ import annotations

import pytest

from tests.web.conftest import Desk

pytestmark = pytest.mark.needs("chromium")

TRY = """
(async () => {
  const find = async (css, meanwhile = () => {}) => {
    for (;;) {
      const block = document.querySelector("[id^='operations-figures-'][id*='stats']");
      const found = block.querySelector(css);
      if (found) return found;
      meanwhile(block);
      await new Promise((again) => setTimeout(again, 200));
    }
  };
  // The page is still drawing itself: what is clicked too early is drawn anew, and closed.
  const opened = (block) => block.matches(".is-open") || block.querySelector("button.opblock-summary-control").click();
  const tryOut = (block) => opened(block) && block.querySelector("button.try-out__btn:not(.cancel)")?.click();
  (await find("button.execute", tryOut)).click();
  return (await find(".live-responses-table tr.response .response-col_status")).textContent;
})()
"""


async def test_the_page_draws_itself_and_a_call_is_answered(desk: Desk) -> None:
    """No error of a policy on the way but what the call itself is told: nobody has signed in."""
    page = await desk.browser.page()
    await page.goto(f"{desk.url}/docs")
    await page.until("document.querySelectorAll('.opblock').length > 20")
    assert page.errors == []
    assert "401" in str(await page.js(TRY))
    assert [error for error in page.errors if "401" not in error] == []


async def test_a_script_that_is_not_its_own_does_not_run(desk: Desk) -> None:
    page = await desk.browser.page()
    await page.goto(f"{desk.url}/docs")
    await page.js(
        "(() => { const evil = document.createElement('script'); evil.textContent = 'window.ran = true'; "
        "document.body.append(evil) })()"
    )
    assert await page.js("window.ran === undefined")
    assert any("Content Security Policy" in error or "inline script" in error for error in page.errors)
