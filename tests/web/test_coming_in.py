"""Who sits before the bell: coming in, leaving, tokens that are taken no more, pages of other sites."""

from __future__ import annotations

import pytest

from contracts import events as e
from deploy.local.ports import free_port
from tests.services.gateway.conftest import due_of, token
from tests.web.bell import OPEN, item, titles, unread
from tests.web.conftest import BELL, ROOT, Desk

pytestmark = pytest.mark.needs("chromium")


async def test_whoever_leaves_sees_nothing_any_more(desk: Desk) -> None:
    page = await desk.person()
    await desk.send("secret")
    await page.js(OPEN)
    await titles(page, "secret")
    await page.js("document.getElementById('leave').click()")
    await titles(page)
    await unread(page, 0)
    await desk.send("another")
    assert await page.js("sessionStorage.length") == 0


async def test_a_token_that_is_taken_no_more_is_asked_for_once_more(desk: Desk) -> None:
    page = await desk.person()
    await page.js(
        f"{{ const good = {BELL}.token; let n = 0; hellos.length = 0;"
        f" {BELL}.token = () => (n++ ? good() : 'expired'); }}"
    )
    await page.until("hellos.length")
    await desk.send("hello")
    await unread(page, 1)


async def test_a_token_that_comes_after_its_person_left_is_nobodys(desk: Desk) -> None:
    """Who sits there now must not be shown the inbox of who sat there before, nor be signed out in that one's place."""
    page = await desk.person()
    await desk.send("for bob")
    await desk.send("for carol", user="carol")
    carol = token("carol")
    for late in (token("bob"), "rubbish"):
        await page.js(f"{{ {BELL}.token = () => new Promise((resolve) => (window.late = resolve)); }}")
        await page.js(f"{{ hellos.length = 0; {BELL}.token = {carol!r}; }}")
        await page.until("hellos.length")
        await page.js(f"late({late!r})")
        await page.js(f"{BELL}.open()")
        await titles(page, "for carol")
        await page.js(f"{ROOT}.querySelector('.panel').hidePopover()")
    await desk.send("for carol, too", user="carol")
    await titles(page, "for carol, too", "for carol")
    assert await page.js(f"{BELL}.token") == carol


async def test_whoever_has_no_good_token_is_told(desk: Desk) -> None:
    """The page then shows its door."""
    page = await desk.person()
    await page.js(f"{BELL}.token = 'rubbish'")
    await page.until("!document.getElementById('enter').hidden")
    assert await page.js(f"{BELL}.token") is None


async def test_the_page_sends_to_whoever_sits_before_it(desk: Desk) -> None:
    page = await desk.person()
    await page.js("document.querySelector('#compose [name=url]').value = '/docs'")
    await page.js("document.querySelector('#compose button').click()")
    [asked] = await desk.others.hear(e.Requested)
    request = asked.request
    assert (asked.owner, request.user_id, request.subject, request.data) == (
        "user:bob",
        "bob",
        "Hello, it is me",
        {"url": "/docs"},
    )
    content = e.Content(subject=request.subject, text=request.body, data=request.data)
    await desk.others.say(due_of(asked.id, "bob", owner="user:bob", accepted_at=asked.accepted_at, content=content))
    await unread(page, 1)
    await page.until("/accepted .* → sent /.test(document.getElementById('lives').textContent)")
    await page.js(OPEN)
    await titles(page, "Hello, it is me")
    await page.js(f"{ROOT}.querySelector('li a').addEventListener('click', (event) => event.preventDefault())")
    await page.js(f"{ROOT}.querySelector('li a').click()")
    await unread(page, 0)
    assert page.errors == []


async def test_whoever_brings_a_token_comes_in(desk: Desk) -> None:
    """Where the page gives none away."""
    page = await desk.browser.page()
    await page.goto(f"{desk.url}/demo")
    await page.until("!document.getElementById('enter').hidden")
    await page.js("document.getElementById('paste').hidden = false")
    for brought, error in (("rubbish", "this is no token"), (token("zoe"), "")):
        await page.js(f"document.querySelector('#paste input').value = {brought!r}")
        await page.js("document.querySelector('#paste button').click()")
        await page.shows("document.querySelector('#enter .error').textContent", error)
    await page.until("!document.getElementById('send').hidden")
    await desk.send("for zoe", user="zoe")
    await unread(page, 1)


async def test_it_hangs_on_pages_of_sites_that_are_listed(desk: Desk) -> None:
    """Its file, the inbox and the stream are all at another address than the page."""
    page = await desk.browser.page()
    async with desk.elsewhere(desk.site) as address:
        await page.goto(address)
        await page.js(f"{BELL}.token = {token('bob')!r}")
        await desk.send("far away")
        await unread(page, 1)
        await page.js(OPEN)
        await titles(page, "far away")
        assert await page.js(f"{ROOT}.querySelector('header .link').textContent") == "Tout marquer comme lu"
        await page.js(item("far away", ".act") + ".click()")
        await titles(page)
    assert page.errors == []


async def test_it_stays_silent_on_pages_of_others(desk: Desk) -> None:
    page = await desk.browser.page()
    async with desk.elsewhere(free_port()) as address:
        await page.goto(address)
        await page.js(f"{BELL}.token = {token('bob')!r}")
        await page.js(OPEN)
        await page.until(f"!{ROOT}.querySelector('.note').hidden")
    assert await page.js(f"{BELL}.unread") == 0
