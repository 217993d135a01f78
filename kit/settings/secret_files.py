"""A secret may lie in a file, as Docker and Kubernetes hand them out: `password_file` in the place of `password`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel

from kit.settings.masking import is_hidden
from kit.settings.source import Location, Source
from kit.settings.tree import Settings

SUFFIX: Final = "_file"


def with_secrets_read(written: Source, root: Path) -> None:
    """Puts what such a file holds in the place of the secret, without its last line end; what is wrong is a problem.

    A place that is not said in full lies below `root`.
    """
    secrets = frozenset(_secrets(Settings))
    for place, branch in list(_branches(written.tree, ())):
        for key in [key for key in branch if key.endswith(SUFFIX) and key.removesuffix(SUFFIX) in secrets]:
            _put(written, branch, (*place, key), root)


def _put(written: Source, branch: dict[str, Any], place: Location, root: Path) -> None:
    file = branch.pop(str(place[-1]))
    secret = str(place[-1]).removesuffix(SUFFIX)
    origin = written.origins[place]
    if secret in branch:
        other = written.origins[(*place[:-1], secret)]
        written.problems.append(f"{origin}: {other} gives the same. Keep one of them.")
        return
    try:
        text = (root / str(file)).read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError:
        written.problems.append(f"{origin}: there is no file {file}. Put the secret into it, or take the setting out.")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        written.problems.append(f"{origin}: {file} cannot be read: {why}. Make it a text file that we may read.")
    else:
        if text:
            branch[secret] = text
            written.origins[(*place[:-1], secret)] = f"{origin}, the file {file}"
        else:
            written.problems.append(f"{origin}: {file} is empty. Put the secret into it, or take the setting out.")


def _branches(value: Any, place: Location) -> Iterator[tuple[Location, dict[str, Any]]]:
    """Every mapping of the tree, those in lists included."""
    if isinstance(value, dict):
        yield place, value
        for key, below in value.items():
            yield from _branches(below, (*place, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _branches(item, (*place, number))


def _secrets(annotation: Any) -> Iterator[str]:
    """The names of all secrets there are at or below a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if is_hidden(annotation, name):
                yield field.alias or name
            yield from _secrets(field.annotation)
    for inner in get_args(annotation):
        yield from _secrets(inner)
