"""One source becomes a function from data to text, once."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

from jinja2 import Template as Engine
from jinja2 import TemplateError, UndefinedError, nodes
from markupsafe import escape

from kit.rendering.limits import SOURCE_CHARACTERS, TEXT_CHARACTERS, Budget, Unrenderable, short_enough
from kit.rendering.sandbox import BUDGET, Sandbox

Render = Callable[[Mapping[str, Any]], str]

_TEXT: Final = Sandbox(autoescape=False)
_HTML: Final = Sandbox(autoescape=True)
_MARKS: Final = ("{{", "{%", "{#")
_TROUBLE: Final = (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError)


@lru_cache(maxsize=1024)
def compiled(source: str, html: bool = False) -> Render:
    """`source` made ready: text without any mark of Jinja2 is itself, text with names alone needs no engine.

    Raises Unrenderable ("bad_template", with the line); so does the function it gives, for what the data lacks.
    """
    if len(source) > SOURCE_CHARACTERS:
        raise Unrenderable("too_large", f"the template has more than {SOURCE_CHARACTERS} characters")
    if not any(mark in source for mark in _MARKS):
        return lambda data: source
    environment = _HTML if html else _TEXT
    try:
        tree = environment.parse(source)
        return _names_alone(tree, html) or _by_engine(environment.from_string(environment.counted(source)))
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise Unrenderable("bad_template", f"line {line}: {error.message}" if line else str(error.message)) from None
    except (RecursionError, SyntaxError, ValueError) as error:
        raise Unrenderable("bad_template", str(error)) from None


def _names_alone(tree: nodes.Template, html: bool) -> Render | None:
    """The quick way for the most usual template: text and names, no logic. None when there is more to it."""
    pieces: list[tuple[bool, str]] = []
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            match node:
                case nodes.TemplateData(data=text):
                    pieces.append((False, text))
                case nodes.Name(name=name) if name != "range":
                    pieces.append((True, name))
                case _:
                    return None

    def write(data: Mapping[str, Any]) -> str:
        try:
            return short_enough("".join([_shown(data[piece], html) if named else piece for named, piece in pieces]))
        except KeyError:
            _missing(piece for named, piece in pieces if named and piece not in data)

    return write


def _shown(value: Any, html: bool) -> str:
    return str(escape(value)) if html else str(value)


def _missing(names: Iterable[str]) -> NoReturn:
    listed = ", ".join(dict.fromkeys(names))
    raise Unrenderable("missing_data", f"data: {listed} missing") from None


def _by_engine(engine: Engine) -> Render:
    def write(data: Mapping[str, Any]) -> str:
        try:
            return _gathered(engine, {**data, BUDGET: Budget()})
        except Unrenderable:
            raise
        except UndefinedError as error:
            raise Unrenderable("missing_data", str(error.message)) from None
        except _TROUBLE as error:
            raise Unrenderable("bad_template", f"{type(error).__name__}: {error}") from None

    return write


def _gathered(engine: Engine, data: Mapping[str, Any]) -> str:
    """Piece by piece, so that an endless text ends at the limit."""
    found, length = [], 0
    for piece in engine.generate(data):
        found.append(piece)
        length += len(piece)
        if length > TEXT_CHARACTERS:
            break
    return short_enough("".join(found))
