"""The text beside an HTML that brought none: of a template made once, from its source; of a mail from the HTML."""

import re
from functools import lru_cache
from typing import Final

from inscriptis import get_text
from inscriptis.model.config import ParserConfig

from kit.rendering.hypertext import check_depth
from kit.rendering.limits import Unrenderable
from kit.rendering.sources import compiled

_MARK: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_PLACE: Final = re.compile("\ue000([0-9]+)\ue001")
_INDENT: Final = re.compile(r"^\s+(?=(\* |\d+\. )?)")
_LINKS: Final = ParserConfig(display_links=True)


def made_from(html: str) -> str:
    """A source of plain text that says what this source of HTML says, its links behind their words.

    Raises Unrenderable where loops and conditions do not survive it: then the text has to be written by hand.
    """
    check_depth(html)
    marks: list[str] = []

    def hide(mark: re.Match[str]) -> str:
        marks.append(mark[0])
        return f"\ue000{len(marks) - 1}\ue001"

    hidden = _MARK.sub(hide, html)
    bare = "\n".join(_lines(get_text(hidden, _LINKS), marks)) if hidden.strip() else ""
    blocks = [n for n in map(int, _PLACE.findall(bare)) if marks[n].startswith("{%")]
    if blocks != sorted(blocks) or any(sign in bare for sign in ("{{", "{%", "{#")):
        raise _by_hand()
    source = _PLACE.sub(lambda place: _shown(marks[int(place[1])]), bare) + "\n"
    try:
        compiled(source)
    except Unrenderable:
        raise _by_hand() from None
    return source


@lru_cache(maxsize=64)
def text_of(html: str) -> str:
    """What HTML that was cleaned says, as plain text, its links behind their words. Takes some 0.1 to 50 ms."""
    return "\n".join(_lines(get_text(html, _LINKS), [])) + "\n" if html.strip() else ""


def _lines(text: str, marks: list[str]) -> list[str]:
    """Without the gaps that a condition would leave behind: a line of marks alone goes before the next one."""
    lines: list[str] = [""]
    waiting = ""
    for line in (_INDENT.sub(lambda found: "  " if found[1] else "", line).rstrip() for line in text.split("\n")):
        places = _PLACE.findall(line) if marks else []
        if places and not _PLACE.sub("", line).strip() and not any(marks[int(n)].startswith("{{") for n in places):
            waiting += line.replace(" ", "")
        elif line:
            lines.append(waiting + line)
            waiting = ""
        elif lines[-1] and not waiting:
            lines.append("")
    while not lines[-1] and len(lines) > 1:
        lines.pop()
    return [*lines[1:-1], lines[-1] + waiting]


def _shown(mark: str) -> str:
    return "" if mark.startswith("{#") else mark


def _by_hand() -> Unrenderable:
    return Unrenderable("bad_template", "its loops and conditions leave no text behind: write text beside it")
