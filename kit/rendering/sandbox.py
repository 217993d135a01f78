"""Jinja2 without files, without chance, and with counted steps."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jinja2 import StrictUndefined, nodes
from jinja2.filters import do_format
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import pass_context

from kit.rendering.limits import HIGHEST_POWER, LARGEST_NUMBER, LONGEST_PADDING, STEPS, Budget, Unrenderable

BUDGET: Final = "steps left"
"""Where a rendering keeps its budget: a name with a space, which no template can say."""

_COUNTED: Final = "counted by us"
_PADDED: Final = ("center", "indent", "wordwrap", "truncate", "round", "batch", "slice")
_WIDE: Final = re.compile(r"\*|\d{4,}")


class Absent(StrictUndefined):
    """What the data does not hold: any use is an error that names it."""

    @property
    def _undefined_message(self) -> str:
        name = self._undefined_name
        if self._undefined_hint:
            return self._undefined_hint
        if isinstance(self._undefined_obj, Mapping | list | str | int | float):
            return f"data: “{name}” missing in one of its objects"
        return f"data: {name} missing"


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment for one kind of text: HTML escapes what the data brings, plain text does not."""

    intercepted_binops = frozenset(("*", "**", "%"))

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(autoescape=autoescape, undefined=Absent, keep_trailing_newline=True)
        self.globals.clear()
        self.globals["range"] = _range
        for name in ("random", "pprint"):
            del self.filters[name]
        self.filters[_COUNTED] = _limited
        self.filters["format"] = _format
        for name in _PADDED:
            self.filters[name] = _unpadded(self.filters[name])

    def counted(self, source: str) -> nodes.Template:
        """The tree of `source`, in which every loop counts. Raises TemplateSyntaxError."""
        tree = self.parse(source)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, _COUNTED, [], [], None, None, lineno=loop.lineno)
        return tree

    def wrap_str_format(self, value: Any) -> None:
        """Jinja2 would hand out a wrapped `str.format`; here it has to pass `is_safe_attribute` like the others."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr in ("format", "format_map"):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        _budget_of(__context).step()
        if isinstance(getattr(__obj, "__self__", None), str):
            _check_padding(args)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if not all(isinstance(side, int | float) and abs(side) <= LARGEST_NUMBER for side in (left, right)):
            raise Unrenderable("bad_template", f"{operator} is for numbers up to {LARGEST_NUMBER}")
        if operator == "**" and abs(right) > HIGHEST_POWER:
            raise Unrenderable("bad_template", f"raises a number to a power above {HIGHEST_POWER}")
        return super().call_binop(context, operator, left, right)


@pass_context
def _limited(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    """The same items, each a step."""
    budget = _budget_of(context)
    for item in items:
        budget.step()
        yield item


def _budget_of(context: Context) -> Budget:
    budget = context.parent.get(BUDGET)
    return budget if isinstance(budget, Budget) else Budget()


def _range(*limits: int) -> range:
    asked = range(*limits)
    if len(asked) > STEPS:
        raise Unrenderable("too_large", f"counts further than {STEPS}")
    return asked


def _format(text: str, *args: Any, **kwargs: Any) -> str:
    if _WIDE.search(text):
        raise Unrenderable("bad_template", f"asks for a width above {LONGEST_PADDING}")
    return do_format(text, *args, **kwargs)


def _unpadded(original: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that may not be asked for a gigabyte of spaces."""

    def checked(*args: Any, **kwargs: Any) -> Any:
        _check_padding((*args[1:], *kwargs.values()))
        return original(*args, **kwargs)

    # Jinja2 marks by attributes which filters want the context or the environment first.
    checked.__dict__.update(original.__dict__)
    return checked


def _check_padding(args: Iterable[Any]) -> None:
    if any(isinstance(width, int) and width > LONGEST_PADDING for width in args):
        raise Unrenderable("bad_template", f"asks for a width above {LONGEST_PADDING}")
