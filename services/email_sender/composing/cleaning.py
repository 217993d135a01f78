"""HTML as somebody wrote it becomes HTML that may leave, with a text beside it."""

from typing import Final

from contracts.events import Content
from kit.rendering import Unrenderable
from kit.rendering.hypertext import cleaned
from kit.rendering.plain import text_of
from services.email_sender.composing.words import Unsafe

QUICK: Final = 8 * 1024
"""Characters of HTML up to which cleaning takes less than a millisecond, most often some microseconds."""


def takes_long(content: Content) -> bool:
    """Whether a mail is better composed beside the event loop: a text takes milliseconds, by the HTML's size."""
    return bool(content.raw and content.html and (content.text is None or len(content.html) > QUICK))


def safe(content: Content) -> tuple[str | None, str | None]:
    """(text, HTML) without scripts and strange addresses. Raises Unsafe for HTML that would take for ever."""
    if not content.raw or content.html is None:
        return content.text, content.html
    try:
        html = cleaned(content.html)
    except Unrenderable as error:
        raise Unsafe(f"html {error.detail}") from None
    return text_of(html) if content.text is None else content.text, html
