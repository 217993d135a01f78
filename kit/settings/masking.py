"""The settings as anyone may see them: secrets are `***`."""

import re
from typing import Any, Final

from pydantic import BaseModel

MASK: Final = "***"


class Hidden:
    """Marks a field whose value no one is shown."""


HIDDEN: Final = Hidden()

_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/@\s:]*):([^/@\s]*)@")


def without_password(url: str) -> str:
    """`postgresql://me:secret@host/db` as `postgresql://me:***@host/db`."""
    return _PASSWORD_IN_URL.sub(rf"\1:{MASK}@", url)


def is_hidden(model: type[BaseModel], name: str) -> bool:
    """Whether a field of that model, by name or by its name in YAML, is a secret."""
    return any(
        _holds_secret(field.annotation, field.metadata)
        for key, field in model.model_fields.items()
        if name in (key, field.alias)
    )


def shown(value: object) -> str:
    """A secret as a message may name it."""
    text = str(value)
    return without_password(text) if "://" in text else MASK


def masked(settings: BaseModel) -> dict[str, Any]:
    """The tree by its names in YAML, ready for JSON, secrets hidden."""
    tree = settings.model_dump(mode="json", by_alias=True)
    _mask(settings, tree)
    return tree


def _mask(model: BaseModel, tree: dict[str, Any]) -> None:
    for name, field in type(model).model_fields.items():
        key = field.alias or name
        if tree.get(key) is None:
            continue
        value = getattr(model, name)
        if is_hidden(type(model), name):
            tree[key] = shown(value)
        elif isinstance(value, BaseModel):
            _mask(value, tree[key])
        elif isinstance(value, tuple):
            for member, branch in zip(value, tree[key], strict=True):
                if isinstance(member, BaseModel):
                    _mask(member, branch)


def _holds_secret(annotation: object, metadata: list[Any]) -> bool:
    inner = (getattr(part, "__metadata__", ()) for part in getattr(annotation, "__args__", ()))
    return HIDDEN in metadata or any(HIDDEN in marks for marks in inner)
