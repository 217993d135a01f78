"""A template in several parts and locales becomes what one channel sends."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from contracts.status import Channel
from contracts.template import Kind
from kit.rendering import data as needs
from kit.rendering.hypertext import cleaned
from kit.rendering.limits import Unrenderable
from kit.rendering.sources import compiled

_PARTS: Final[Mapping[Channel, Mapping[str, tuple[str, ...]]]] = {
    Channel.EMAIL: {"subject": ("subject",), "text": ("text", "plain"), "html": ("html",)},
    Channel.SMS: {"text": ("sms", "text", "plain")},
    Channel.INAPP: {"subject": ("subject",), "text": ("inapp", "text", "plain")},
}
"""What each channel shows, and from which of a template's parts it is taken, the first that is there."""


class Texts(BaseModel):
    """What a template says, per part; `sms` and `inapp` stand in for `text` on their channels.

    `plain` was made from the `html` where nobody wrote a `text` (`kit/rendering/plain.py`).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    subject: str | None = None
    text: str | None = None
    html: str | None = None
    sms: str | None = None
    inapp: str | None = None
    plain: str | None = None


class Template(Texts):
    """One version of a template: its texts, those of other locales, and the data it cannot do without."""

    locales: Mapping[str, Texts] = {}
    required: tuple[str, ...] = ()
    types: Mapping[str, Kind] = {}

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """From the value of its setting. Raises Unrenderable when that is no template."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise Unrenderable("bad_template", f"{place}: {first['msg']}") from None


@dataclass(frozen=True, slots=True)
class Rendered:
    """The texts of one notification on one channel."""

    subject: str | None = None
    text: str | None = None
    html: str | None = None


def render(template: Template, channel: Channel, locale: str | None, data: Mapping[str, Any] | None) -> Rendered:
    """The texts for `channel` in the nearest locale: "zh-Hant-TW", then "zh-Hant", then "zh" (RFC 4647, 3.4), then the
    template's own.

    A part that a locale leaves out is the template's own. Raises Unrenderable.
    """
    data = data or {}
    needs.check(template.required, template.types, data)
    chosen = _nearest(template, locale)
    return Rendered(**{part: _part(chosen, sources, data) for part, sources in _PARTS[channel].items()})


def _nearest(template: Template, locale: str | None) -> tuple[Texts, ...]:
    """The texts to look in, the nearest first."""
    if not locale or not template.locales:
        return (template,)
    known = {_plain(name): texts for name, texts in template.locales.items()}
    subtags = _plain(locale).split("-")
    nearer = ("-".join(subtags[:count]) for count in range(len(subtags), 0, -1))
    return (*(known[name] for name in nearer if name in known), template)


def _plain(locale: str) -> str:
    return locale.replace("_", "-").lower()


def _part(chosen: tuple[Texts, ...], names: tuple[str, ...], data: Mapping[str, Any]) -> str | None:
    """The first source there is: a locale's `text` is nearer than the `sms` of another locale."""
    for texts in chosen:
        for name in names:
            if (source := getattr(texts, name)) is not None:
                return _text(name, source, data)
    return None


def _text(name: str, source: str, data: Mapping[str, Any]) -> str:
    try:
        text = compiled(source, name == "html")(data)
        return cleaned(text) if name == "html" else text
    except Unrenderable as error:
        raise error.within("text" if name == "plain" else name) from None
