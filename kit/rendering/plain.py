"""The text beside an HTML that brought none, made once from its source, so that no notification waits for it."""

import re
from typing import Final

from inscriptis import get_text
from inscriptis.model.config import ParserConfig

from kit.rendering.hypertext import DEEPEST, depth
from kit.rendering.limits import Unrenderable
from kit.rendering.sources import compiled

_MARK: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_PLACE: Final = re.compile("\ue000([0-9]+)\ue001")
_GAPS: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")
_LINKS: Final = ParserConfig(display_links=True)


def made_from(html: str) -> str:
    """A source of plain text that says what this source of HTML says, its links behind their words.

    Raises Unrenderable where loops and conditions do not survive it: then the text has to be written by hand.
    """
    if depth(html) > DEEPEST:
        raise Unrenderable("too_large", f"has more than {DEEPEST} elements within each other: is one never ended?")
    marks: list[str] = []

    def hide(mark: re.Match[str]) -> str:
        marks.append(mark[0])
        return f"\ue000{len(marks) - 1}\ue001"

    hidden = _MARK.sub(hide, html)
    bare = _GAPS.sub("\n\n", get_text(hidden, _LINKS)).strip() if hidden.strip() else ""
    blocks = [n for n in map(int, _PLACE.findall(bare)) if marks[n].startswith("{%")]
    if blocks != sorted(blocks) or any(sign in bare for sign in ("{{", "{%", "{#")):
        raise _by_hand()
    source = _PLACE.sub(lambda place: _shown(marks[int(place[1])]), bare) + "\n"
    try:
        compiled(source)
    except Unrenderable:
        raise _by_hand() from None
    return source


def _shown(mark: str) -> str:
    return "" if mark.startswith("{#") else mark


def _by_hand() -> Unrenderable:
    return Unrenderable("bad_template", "its loops and conditions leave no text behind: write text beside it")
