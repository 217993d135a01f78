"""What is wrong with a template, found when it is written and not when somebody waits for it."""

from collections.abc import Iterator
from typing import Final

from jinja2 import nodes

from contracts.template import TemplateRequest
from kit.rendering.limits import Unrenderable
from kit.rendering.plain import made_from
from kit.rendering.sandbox import Sandbox
from kit.rendering.sources import compiled

_READER: Final = Sandbox(autoescape=False)
_OTHERS: Final = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


def problems(asked: TemplateRequest) -> Iterator[tuple[str, str]]:
    """(field, the line and what is wrong) of everything that could never be rendered. May take some 100 ms."""
    for field, part, source in asked.parts():
        try:
            compiled(source, part == "html")
            yield from ((field, found) for found in _violations(source))
        except Unrenderable as error:
            yield field, error.detail
    for place, texts in asked.languages():
        if texts.html is not None and texts.text is None:
            try:
                made_from(texts.html)
            except Unrenderable as error:
                yield f"{place}html", error.detail


def _violations(source: str) -> Iterator[str]:
    """What the sandbox would stop at run time, by its name alone."""
    tree = _READER.parse(source)
    for other in tree.find_all(_OTHERS):
        yield f"line {other.lineno}: a template stands alone: it can include, import or extend no other"
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Getattr) and call.node.attr in ("format", "format_map"):
            yield f"line {call.lineno}: .{call.node.attr}() is not allowed: use the filter format"
    for node, name in _named(tree):
        if name.startswith("__"):
            yield f"line {node.lineno}: {name} is not allowed: the sandbox gives nothing of Python's inside"


def _named(tree: nodes.Template) -> Iterator[tuple[nodes.Node, str]]:
    for node in tree.find_all(nodes.Getattr):
        yield node, node.attr
    for item in tree.find_all(nodes.Getitem):
        if isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, str):
            yield item, item.arg.value
