"""What notifications say, for programs: write it, try it out, see what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from .errors import NotFound
from .rest import Tocsin
from .shapes import Answer

PATH: Final = "/v1/admin/templates"
WRITTEN: Final = ("subject", "text", "html", "sms", "inapp", "locales", "required", "types")
"""The fields that one writes; the others are answers."""

_NAME: Final = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_.\-]{0,49}")


class Named(Answer):
    """A name, and the version that it stands for: `template` is "welcome@3"."""

    name: str
    version: int
    template: str


class Template(Named):
    """A version of a template as it was written."""

    subject: str | None = None
    text: str | None = None
    html: str | None = None
    sms: str | None = None
    inapp: str | None = None
    locales: Mapping[str, Mapping[str, str]] = {}
    required: tuple[str, ...] = ()
    types: Mapping[str, str] = {}
    created_by: str | None = None

    @property
    def written(self) -> dict[str, Any]:
        """What `put` would be given to say the same."""
        seen = self.model_dump(mode="json", include=set(WRITTEN))
        return {name: value for name, value in seen.items() if value}


class Preview(Answer):
    """What would be sent by one channel."""

    template: str
    channel: str
    subject: str | None = None
    text: str | None = None
    html: str | None = None


class Templates:
    """`Templates(tocsin).put("welcome", subject="Welcome, {{ name }}", text="...", required=["name"])`; for admins.

    Raises TocsinError like everything of the connection it goes by.
    """

    def __init__(self, tocsin: Tocsin) -> None:
        self._tocsin = tocsin

    def put(self, name: str, *, version: int | None = None, **written: Any) -> Template:
        """A new version, in force from now on. `version`: only if that one is in force; else a problem (412)."""
        headers = {"If-Match": f'"{version}"'} if version is not None else {}
        return self._tocsin.ask(Template, "PUT", _path(name), json=written, headers=headers)

    def get(self, name: str, version: int | None = None) -> Template:
        """The version in force, or another one. Raises NotFound."""
        query = {"version": str(version)} if version is not None else {}
        return self._tocsin.ask(Template, "GET", _path(name), params=query)

    def all(self) -> Iterator[Named]:
        """The names, in order; everybody may know them."""
        return self._tocsin.items(Named, PATH)

    def preview(
        self,
        name: str,
        data: Mapping[str, Any],
        *,
        channel: str = "email",
        locale: str | None = None,
        version: int | None = None,
    ) -> Preview:
        """What a notification with this data would say; a problem (422) names what is missing."""
        asked = {"data": data, "channel": channel, "locale": locale, "version": version}
        return self._tocsin.ask(Preview, "POST", _path(name, "/preview"), json=asked)

    def delete(self, name: str) -> None:
        """It and all its versions: who asks for it is refused. Raises NotFound."""
        self._tocsin.delete(_path(name))


def _path(name: str, rest: str = "") -> str:
    """Raises NotFound for what cannot be a name, before it can lead to another address."""
    if not _NAME.fullmatch(name):
        raise NotFound(404, "not_found", f"“{name}” is no name of a template: at most 50 of A-Z a-z 0-9 _ - .")
    return f"{PATH}/{name}{rest}"
