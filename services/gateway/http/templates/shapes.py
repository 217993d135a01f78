"""Templates as REST answers them."""

from datetime import datetime
from typing import Any

from contracts.events import Setting
from contracts.status import Channel
from contracts.template import version_name
from services.gateway.http.shape import Shape
from services.gateway.rules.templating import MADE, Edition


class NamedTemplate(Shape):
    """A version of a template as it was written; `template` is what notifications and timelines call it."""

    name: str
    version: int
    template: str
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    sms: str | None = None
    inapp: str | None = None
    locales: dict[str, Any] | None = None
    required: tuple[str, ...] = ()
    types: dict[str, str] | None = None
    created_at: datetime | None = None
    created_by: str | None = None


class TemplateName(Shape):
    """A name, and the version that it stands for."""

    name: str
    version: int
    template: str


class TemplateNames(Shape):
    """By name; `next` is the `after` of the page that follows."""

    items: tuple[TemplateName, ...]
    next: str | None = None


class TemplateVersion(Shape):
    """A version that is kept."""

    version: int
    template: str
    in_force: bool
    created_at: datetime | None = None
    created_by: str | None = None


class TemplateVersions(Shape):
    """The newest first."""

    name: str
    items: tuple[TemplateVersion, ...]


class TemplatePreview(Shape):
    """What would be sent by this channel: `text` is the body of a text message and of the inbox, too."""

    template: str
    channel: Channel
    locale: str | None = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None


def named(event: str) -> TemplateName:
    """A name, out of the setting's event as JSON."""
    told = Setting.model_validate_json(event)
    current = int((told.value or {}).get("current") or 0)
    return TemplateName(name=told.id, version=current, template=version_name(told.id, current))


def shown(edition: Edition) -> NamedTemplate:
    """A version with its texts."""
    made = {field: edition.value.get(field) for field in MADE}
    template = version_name(edition.name, edition.number)
    return NamedTemplate(name=edition.name, version=edition.number, template=template, **edition.asked, **made)


def version_of(edition: Edition, current: int) -> TemplateVersion:
    """A version without its texts; `current` is the number of the one in force."""
    made = {field: edition.value.get(field) for field in MADE}
    template = version_name(edition.name, edition.number)
    return TemplateVersion(version=edition.number, template=template, in_force=edition.number == current, **made)
