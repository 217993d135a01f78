"""A template as files that a person edits: `template.yml` for subjects and data, `fr.html`, `fr.txt`, `fr.sms` ..."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.local.trouble import Trouble

ABOUT: Final = "template.yml"
PARTS: Final[Mapping[str, str]] = {"html": "html", "txt": "text", "sms": "sms", "inapp": "inapp"}
"""What the end of a file's name says."""
KNOWN: Final = ("default", "subject", "required", "data")

_TEXT: Final = re.compile(r"([A-Za-z]{2,3}(?:[_-][A-Za-z0-9]{2,8})*)\.(html|txt|sms|inapp)")
_SAMPLE: Final = "sample.json"

Texts = dict[str, dict[str, str]]


def folders(place: Path) -> list[Path]:
    """The folders of templates at this place: itself, or those in it. Raises Trouble when there is none."""
    if not place.is_dir():
        raise Trouble(f"{place} is no folder", "give the folder of a template, or one with such folders in it")
    found = [place] if (place / ABOUT).is_file() else sorted(one.parent for one in place.glob(f"*/{ABOUT}"))
    if not found:
        raise Trouble(
            f"there is no {ABOUT} in {place}", f"a template is a folder with a {ABOUT} and files like fr.html"
        )
    return found


def read(folder: Path) -> dict[str, Any]:
    """The template in this folder as `PUT /v1/admin/templates/{name}` takes it. Raises Trouble that names the file."""
    about = _about(folder / ABOUT)
    texts = _texts(folder)
    for locale, subject in _subjects(about, folder).items():
        texts.setdefault(locale, {})["subject"] = subject
    default = about.get("default") or next(iter(texts), "")
    if default not in texts:
        raise Trouble(
            f"{folder / ABOUT}: nothing is in the language “{default}”", f"write {default}.txt or {default}.html"
        )
    own = texts.pop(default)
    return own | _needs(about, folder) | ({"locales": texts} if texts else {})


def _about(file: Path) -> dict[str, Any]:
    try:
        about = yaml.safe_load(_content(file))
    except yaml.YAMLError as error:
        raise Trouble(f"{file} is no YAML ({' '.join(str(error).split())})", "put texts with {{ }} in quotes") from None
    if not isinstance(about, dict):
        raise Trouble(f"{file} is no list of names and values", f"it knows {', '.join(KNOWN)}")
    if unknown := [str(key) for key in about if key not in KNOWN]:
        raise Trouble(f"{file}: unknown {', '.join(unknown)}", f"it knows {', '.join(KNOWN)}")
    return about


def _texts(folder: Path) -> Texts:
    texts: Texts = {}
    for file in sorted(folder.iterdir()):
        if file.name in (ABOUT, _SAMPLE) or file.name.startswith("."):
            continue
        named = _TEXT.fullmatch(file.name)
        if named is None:
            raise Trouble(
                f"{file}: nobody knows what that is", "files are called like fr.html, fr.txt, fr.sms, fr.inapp"
            )
        texts.setdefault(named[1], {})[PARTS[named[2]]] = _content(file)
    return texts


def _subjects(about: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """By language; one text alone is that of the default language."""
    subject = about.get("subject") or {}
    if isinstance(subject, str) and about.get("default"):
        return {str(about["default"]): subject}
    if not isinstance(subject, dict) or not all(isinstance(text, str) for text in subject.values()):
        raise Trouble(f"{folder / ABOUT}: subject is no text per language", 'write {en: "Hello", fr: "Bonjour"}')
    return {str(locale): text for locale, text in subject.items()}


def _needs(about: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """`required`: names that must be there, or names with their kind; `data`: kinds of what may be missing."""
    required, kinds = about.get("required") or [], about.get("data") or {}
    if not isinstance(required, list | dict) or not isinstance(kinds, dict):
        raise Trouble(
            f"{folder / ABOUT}: required is no list of names", "write [name, count], or {name: text, count: number}"
        )
    types = kinds | (required if isinstance(required, dict) else {})
    return {name: value for name, value in (("required", list(required)), ("types", types)) if value}


def _content(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Trouble(f"{file} cannot be read ({error})", "texts are files in UTF-8") from None
