"""HTML as a mail may carry it: known elements and addresses only, whatever the data brought along."""

import re
from functools import lru_cache
from typing import Final

import nh3

from contracts.request import HTML_BYTES
from kit.rendering.limits import Unrenderable

DEEPEST: Final = 100
"""Elements within each other. Cleaning takes time by their square: it is measured before it begins."""

_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_NEVER_DEEP: Final = frozenset(
    re.split(" ", "area br col embed hr img input link meta source wbr p li dt dd tr td th thead tbody tfoot option")
)
"""They have no end, or the next of their kind ends them."""
_LOOKS: Final = set(re.split(" ", "align bgcolor border class dir height lang role style title valign width"))
_ATTRIBUTES: Final = {**nh3.ALLOWED_ATTRIBUTES, "*": _LOOKS}
_ATTRIBUTES["table"] = {*nh3.ALLOWED_ATTRIBUTES["table"], "cellpadding", "cellspacing"}
_STYLES: Final = set(
    re.split(
        " ",
        "background-color border border-bottom border-collapse border-left border-radius border-right border-spacing "
        "border-top color display font-family font-size font-style font-weight height letter-spacing line-height "
        "list-style-type margin margin-bottom margin-left margin-right margin-top max-width min-width padding "
        "padding-bottom padding-left padding-right padding-top text-align text-decoration text-transform "
        "vertical-align white-space width",
    )
)


# Made once: reading what is allowed takes ten times as long as cleaning a short mail.
_CLEANER: Final = nh3.Cleaner(
    attributes=_ATTRIBUTES,
    clean_content_tags={"script", "style", "title"},
    url_schemes={"http", "https", "mailto", "tel", "cid"},
    filter_style_properties=_STYLES,
)


@lru_cache(maxsize=64)
def cleaned(html: str) -> str:
    """The same without scripts, forms and strange addresses.

    Raises Unrenderable ("too_large") before it would take long.
    """
    if len(html.encode(errors="replace")) > HTML_BYTES:
        raise Unrenderable("too_large", f"makes more than {HTML_BYTES // 1024} KiB")
    check_depth(html)
    return _CLEANER.clean(html)


def check_depth(html: str) -> None:
    """Raises Unrenderable ("too_large") for what it would take long to look through."""
    # Most begin fewer elements than that, and to count them is nothing.
    if html.count("<") - html.count("</") > DEEPEST and depth(html) > DEEPEST:
        raise Unrenderable("too_large", f"has more than {DEEPEST} elements within each other: is one never ended?")


def depth(html: str) -> int:
    """How deep it may be at most, counted to just above DEEPEST; an end of another than the innermost ends nothing."""
    within: list[str] = []
    deepest = 0
    for tag in _TAG.finditer(html):
        name = tag[2].lower()
        if name in _NEVER_DEEP:
            continue
        if not tag[1]:
            within.append(name)
            deepest = max(deepest, len(within))
        elif within and within[-1] == name:
            within.pop()
        if deepest > DEEPEST:
            break
    return deepest
