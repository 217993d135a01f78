"""A problem of pydantic's, said so that a person can mend it."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kit.settings.masking import is_hidden, shown, without_password
from kit.settings.names import NAMES
from kit.settings.problems import nearest
from kit.settings.source import Location
from kit.settings.tree import DERIVED, Settings


def sentences(error: ValidationError, tree: Mapping[str, Any], origins: Mapping[Location, str]) -> Iterator[str]:
    """One sentence or two per problem: where it is written, what is wrong, what to do."""
    for detail in error.errors(include_url=False):
        place = _as_written(detail["loc"], tree)
        owner = _section_at(Settings, detail["loc"][:-1])
        yield f"{_where(place, origins)}: {_what(detail, place, owner)}"


def _what(detail: ErrorDetails, place: Location, owner: type[BaseModel] | None) -> str:
    name = str(place[-1])
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key `{name}`{_known(name, owner, top=len(place) == 1)} Rename it or take it out."
        case "missing":
            return f"`{name}` is missing. Add it."
        case "union_tag_invalid":
            kind, kinds = detail["ctx"]["tag"], detail["ctx"]["expected_tags"]
            return f"there is no type '{kind}', expected one of {kinds}. Change it."
        case "union_tag_not_found":
            return "`type` is missing. Add it."
    given = _given(detail["input"], hidden=owner is not None and is_hidden(owner, name))
    return f"{given} was given, expected {_expected(detail)}. Change it, or take it out for the default."


def _given(value: object, *, hidden: bool) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return shown(value) if hidden else repr(without_password(str(value)))


def _expected(detail: ErrorDetails) -> str:
    text = str(detail.get("ctx", {}).get("error", "")) or detail["msg"]
    text = text.removeprefix("Input should be ").partition(", unable to")[0]
    plain = {"a valid integer": "a whole number", "a valid number": "a number", "a valid string": "a text"}
    if detail["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return "settings below it (a mapping)"
    if detail["type"] in ("bool_parsing", "bool_type"):
        return "true or false"
    return plain.get(text, text)


def _where(place: Location, origins: Mapping[Location, str]) -> str:
    """Where it is written; for what is not written, the nearest branch that is."""
    depths = range(len(place), 0, -1)
    return next((origins[place[:n]] for n in depths if place[:n] in origins), ".".join(map(str, place)))


def _known(name: str, owner: type[BaseModel] | None, *, top: bool) -> str:
    fields = owner.model_fields if owner else {}
    here = [field.alias or key for key, field in fields.items() if key not in DERIVED]
    meant = nearest(name, [*here, "cleanup", *NAMES] if top else here)
    return f", did you mean `{meant}`?" if meant else f". Known here: {', '.join(sorted(here))}."


def _as_written(location: Location, tree: Any) -> Location:
    """The place as it is written: pydantic's locations also name the chosen member of a union."""
    place: list[str | int] = []
    branch = tree
    for n, step in enumerate(location):
        if _has(branch, step):
            branch = branch[step]
        elif n < len(location) - 1:
            continue
        place.append(step)
    return tuple(place)


def _has(branch: Any, step: str | int) -> bool:
    if isinstance(branch, Mapping):
        return step in branch
    return isinstance(branch, list) and isinstance(step, int) and step < len(branch)


def _section_at(annotation: Any, location: Location) -> type[BaseModel] | None:
    """The section of the tree that stands at a location of pydantic's."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _section_below(annotation, location)
    inside = get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _section_at(inside[0], location)
    if get_origin(annotation) in (Union, UnionType):
        return next((_section_at(one, location[1:]) for one in inside if location and location[0] in _tags(one)), None)
    if not location or not inside:
        return None
    item = inside[0] if get_origin(annotation) is tuple else inside[-1]
    return _section_at(item, location[1:])


def _section_below(section: type[BaseModel], location: Location) -> type[BaseModel] | None:
    if not location:
        return section
    for name, field in section.model_fields.items():
        if location[0] in (name, field.alias):
            return _section_at(field.annotation, location[1:])
    return None


def _tags(member: Any) -> tuple[Any, ...]:
    field = member.model_fields.get("type") if isinstance(member, type) and issubclass(member, BaseModel) else None
    return get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
