"""What a template needs to be told, asked for before anything is written."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from contracts.template import Kind
from kit.rendering.limits import Unrenderable

_IS: Final[Mapping[Kind, Callable[[Any], bool]]] = {
    "text": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list | tuple),
    "object": lambda value: isinstance(value, Mapping),
}


def check(required: Sequence[str], types: Mapping[str, Kind], data: Mapping[str, Any]) -> None:
    """Raises Unrenderable: "missing_data" with all names that are missing, "bad_data" with those of another kind."""
    if missing := [name for name in required if data.get(name) is None]:
        raise Unrenderable("missing_data", f"data: the template needs {', '.join(missing)}")
    if wrong := [f"{name} is to be a {kind}" for name, kind in types.items() if not _fits(kind, data.get(name))]:
        raise Unrenderable("bad_data", f"data: {', '.join(wrong)}")


def _fits(kind: Kind, value: Any) -> bool:
    """What is not there has no kind: whether it may be missing is said by `required`."""
    return value is None or _IS[kind](value)
